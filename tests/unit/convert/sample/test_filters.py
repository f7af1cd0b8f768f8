"""Filters leave out what they name and change nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.record import IGNORE, RawRegion, Record
from convert.sample.filters import KEEP_ALL, FilteredOut, Filters, apply_filters
from shards.sample import Box, Size, Span, Turn

SIZE = Size(100, 200)
BOX = Box(10.0, 10.0, 20.0, 20.0)


def record(**changes):
    return replace(Record(photo=("p.jpg",), file="p.jpg"), **changes)


def apply(given_record, **filters):
    return apply_filters(given_record, SIZE, Filters(**filters))


def test_nothing_is_left_out_by_default():
    before = record(captions=("", "a"), regions=(RawRegion(box=Box(0.0, 0.0, 0.0, 0.0)),))
    assert apply_filters(before, Size(1, 1), KEEP_ALL) == (before, ())


def test_small_photos():
    before = record(captions=("a mug",))
    assert apply(before, shortest_side=100) == (before, ())
    with pytest.raises(FilteredOut, match="fewer than 101 pixels") as caught:
        apply(before, shortest_side=101)
    assert caught.value.filter == "shortest_side"


def test_short_captions_go_with_regions_that_only_they_mention():
    regions = (
        RawRegion(phrases=("mug",), spans=(Span(0, 0, 3),)),
        RawRegion(phrases=("red mug", "mug"), spans=(Span(0, 0, 3), Span(1, 2, 9))),
        RawRegion(phrases=("book",), spans=(Span(3, 0, 4),)),
        RawRegion(phrases=("no span",)),
    )
    captions = ("mug .", "A red mug .", "", "book on a shelf")
    before = record(captions=captions, regions=regions, ids={"row_ids": (5, 6, 7, 8), "image": 1})
    after, notes = apply(before, caption_words=3)
    assert after.captions == ("A red mug .", "book on a shelf")
    assert after.ids == {"row_ids": (6, 8), "image": 1}
    assert [region.spans for region in after.regions] == [(Span(0, 2, 9),), (Span(1, 0, 4),), ()]
    assert sorted(notes) == [
        "caption left out by caption_words",
        "caption left out by caption_words",
        "region left out by caption_words",
    ]


@pytest.mark.parametrize(
    ("box", "gone"),
    [
        (BOX, False),
        (Box(10.0, 10.0, 11.0, 20.0), False),
        (Box(10.0, 10.0, 10.9, 20.0), True),
        (Box(10.0, 10.0, 20.0, 10.0), True),
        (Box(-20.0, 10.0, -2.0, 20.0), True),
        (Box(200.0, 10.0, 210.0, 20.0), True),
        (Box(-5.0, -5.0, 5.0, 5.0), False),
        (Box(-5.0, -5.0, 0.0, 5.0), True),
        (Box(-5.0, 100.0, 5.0, 105.0), True),
        (Box(-5.0, 99.9, 5.0, 105.0), False),
        (Box(199.9, 0.0, 210.0, 20.0), False),
        # Wrong, not small: for the transform to refuse.
        (Box(20.0, 10.0, 10.0, 20.0), False),
        (Box(float("nan"), 10.0, 10.0, 20.0), False),
    ],
)
def test_boxes_without_area(box, gone):
    before = record(regions=(RawRegion(box=BOX), RawRegion(box=box), RawRegion()))
    after, notes = apply(before, box_side=1)
    assert len(after.regions) == 3 - gone
    assert notes == ("region left out by box_side",) * gone


def test_ignored_regions_go_and_their_parts_stay():
    regions = (
        RawRegion(phrases=("a",), attributes=("crowd", IGNORE)),
        RawRegion(phrases=("b",), attributes=("crowd",)),
        RawRegion(phrases=("part of a",), parent=0),
        RawRegion(phrases=("part of b",), parent=1),
    )
    after, notes = apply(record(regions=regions), ignored=True)
    assert [(r.phrases[0], r.parent) for r in after.regions] == [
        ("b", None), ("part of a", None), ("part of b", 0),
    ]  # fmt: skip
    assert notes == ("region left out by ignored",)


def test_a_photo_without_annotations_left():
    with pytest.raises(FilteredOut, match="nothing is left: caption left out") as caught:
        apply(record(captions=("one", "two")), caption_words=2)
    assert caught.value.filter == "caption_words"
    before = record()  # it had no annotations in the first place
    assert apply(before, caption_words=2, box_side=1, ignored=True) == (before, ())
    talked_about = record(captions=("one",), conversations=((Turn("human", "Why?"),),))
    assert apply(talked_about, caption_words=2)[0].conversations


captions = st.lists(st.sampled_from(["", "a", "a b", "a b c", "a b c d"]), max_size=5)


@given(captions, st.integers(0, 4), st.data())
def test_spans_still_say_the_same(texts, words, data):
    spans = data.draw(
        st.lists(st.integers(0, len(texts) - 1), max_size=4) if texts else st.just([])
    )
    regions = tuple(
        RawRegion(phrases=(texts[n],), spans=(Span(n, 0, len(texts[n])),)) for n in spans
    )
    before = record(captions=tuple(texts), regions=regions, ids={"row_ids": tuple(range(9))})
    before = replace(before, ids={"row_ids": tuple(range(len(texts)))})
    kept = [n for n, text in enumerate(texts) if len(text.split()) >= words]
    try:
        after, notes = apply(before, caption_words=words)
    except FilteredOut:
        assert not kept
        return
    assert [texts[n] for n in after.ids["row_ids"]] == list(after.captions)
    assert list(after.ids["row_ids"]) == kept
    assert len(notes) == len(texts) - len(kept) + len(regions) - len(after.regions)
    for region in after.regions:
        (span,) = region.spans
        assert after.captions[span.caption][span.start : span.stop] == region.phrases[0]
