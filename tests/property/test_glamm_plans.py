"""For any sample, an example has as many masks, boxes and names as its text has tokens."""

from hypothesis import given
from hypothesis import strategies as st

from shards.classes import ClassInfo
from shards.glamm import ExampleError, Examples
from shards.glamm.conversation import render
from shards.glamm.sources import ITEM_COLUMNS, ExampleTask
from shards.sample import Box, EncodedImage, LabelMap, Region, Rle, Sample, Size, Span, Turn

SIZE = Size(4, 6)
TEXTS = st.text(st.sampled_from("ab İß</s>[SEG]\n:"), max_size=12)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    captions = tuple(draw(st.lists(TEXTS, max_size=3)))
    spans = [
        Span(number, start, stop)
        for number, text in enumerate(captions)
        for start in range(len(text))
        for stop in range(start + 1, len(text) + 1)
    ]
    region = st.builds(
        Region,
        st.lists(TEXTS, max_size=3).map(tuple),
        st.none() | st.just(Box(0, 1, 2, 3)),
        st.none() | st.just(Rle(SIZE, b"0h0")),
        st.lists(st.sampled_from(spans), max_size=3).map(tuple) if spans else st.just(()),
        attributes=st.sampled_from(((), ("ignore",))),
    )
    turn = st.builds(Turn, st.sampled_from(("human", "gpt")), TEXTS | st.just("<image>"))
    return Sample(
        key="any-1",
        image=EncodedImage(b"", "jpg", SIZE),
        original_size=SIZE,
        captions=captions,
        regions=tuple(draw(st.lists(region, max_size=4))),
        conversations=tuple(draw(st.lists(st.lists(turn, max_size=5).map(tuple), max_size=2))),
        labels=draw(st.none() | st.just(LabelMap(b"", "any", (0, 1, 2, 3, 4)))),
    )


@given(samples(), st.sampled_from(sorted(ITEM_COLUMNS)), st.integers(0, (1 << 64) - 1), st.data())
def test_text_and_annotations_agree(
    sample: Sample, task: ExampleTask, seed: int, data: st.DataObject
):
    classes = tuple(ClassInfo(number, f"c{number}") for number in range(4))
    examples = Examples("any", task=task, classes=classes)
    item_index = data.draw(st.none() | st.integers(0, 5)) if ITEM_COLUMNS[task] else None
    try:
        plan = examples.plan(sample, seed, item_index)
    except ExampleError as error:
        assert str(error).startswith("any-1")  # noqa: PT017 - not every sample raises
        return
    assert examples.plan(sample, seed, item_index) == plan
    text = render(plan.exchanges)
    segments = len(plan.masks or plan.labels or ())
    assert text.count("[SEG]") == segments
    assert text.count("<bbox>") == len(plan.boxes or ())
    assert text.count("<image>") == (1 if task != "conversation" else min(1, text.count("<image>")))
    assert text.count("<p>") == text.count("</p>") == (segments if task == "grounded" else 0)
    # split as the reference's collate function does
    rounds = text.split("</s>")
    assert rounds[-1] == ""
    assert len(rounds) == len(plan.exchanges) + 1
    assert all(len(part.split(" ASSISTANT: ")) == 2 for part in rounds[:-1])
    if segments:
        assert len(plan.names or ()) == segments
