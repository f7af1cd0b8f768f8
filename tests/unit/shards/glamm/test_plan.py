"""The text of an example and the annotations it uses: no pixel is decoded."""

import pytest

from shards.errors import LoadError, ShardError
from shards.glamm import WORDING, ExampleError, Examples
from shards.glamm.conversation import RESERVED
from shards.glamm.segmentation import lowercase, part_name
from shards.glamm.sources import ITEM_COLUMNS
from shards.random import Rng
from shards.sample import Box, LabelMap, Region, Span, Turn
from tests.unit.shards.glamm.samples import MASKS, make_region, make_sample, plan_of


def test_of_overlapping_phrases_the_first_and_longest_stays():
    regions = (
        make_region(0, 9, 12, mask=MASKS[0], name="inner"),
        make_region(0, 0, 5, mask=MASKS[1], name="short"),
        make_region(0, 0, 7, mask=MASKS[2], name="long"),
        make_region(0, 7, 12, mask=MASKS[3], name="next"),
        make_region(0, 13, 14, name="no mask"),
        make_region(1, 0, 5, mask=MASKS[0], name="another caption"),
    )
    sample = make_sample(captions=("A dog.. cat", "B"), regions=regions)
    plan = plan_of("grounded", sample, item_index=0)
    assert plan.names == ("long", "next")
    assert plan.masks == (MASKS[2], MASKS[3])
    (exchange,) = plan.exchanges
    assert exchange.answer == "<p> A dog.. </p> [SEG]<p>  cat </p> [SEG]"


def test_a_region_is_tagged_at_its_first_span():
    region = Region(("b", "a"), None, MASKS[0], (Span(0, 2, 3), Span(0, 0, 1)))
    plan = plan_of("grounded", make_sample(captions=("a b",), regions=(region,)))
    assert plan.exchanges[0].answer == "a <p> b </p> [SEG]"
    assert plan.names == ("b",)


def test_one_source_has_lowercase_captions():
    annotations = {"captions": ("A Dog",), "regions": (make_region(0, 2, 5, mask=MASKS[0]),)}
    answers = [
        Examples(source).plan(make_sample(source, **annotations), 0).exchanges[0].answer
        for source in ("refcocog_gcg", "grandf_ha")
    ]
    assert answers == ["a <p> dog </p> [SEG]", "A <p> Dog </p> [SEG]"]
    assert [len(lowercase(text)) for text in ("İİ", "AB")] == [2, 2]


def test_only_captions_with_a_mask_are_drawn():
    regions = (make_region(1, 0, 1, mask=MASKS[0]),)
    sample = make_sample(captions=("none", "b"), regions=regions)
    answers = {plan_of("grounded", sample, seed).exchanges[0].answer for seed in range(9)}
    assert answers == {"<p> b </p> [SEG]"}
    with pytest.raises(ExampleError, match=r"any-1: caption 0 cannot be used: none of its phrases"):
        plan_of("grounded", sample, item_index=0)


def test_expressions_are_drawn_without_repetition():
    region = Region(("a", "b", "c", "d"), None, MASKS[0])
    sample = make_sample(regions=(Region(("no mask",)), region))
    names = [plan_of("referring", sample, seed).names or () for seed in range(50)]
    assert {len(set(each)) for each in names} == {3}
    assert {name for each in names for name in each} == {"a", "b", "c", "d"}
    assert plan_of("referring", sample, item_index=2).names == ("b",)
    assert len(plan_of("referring", sample, max_classes=9).names or ()) == 4


def test_a_question_has_its_name_in_lower_case():
    plan = plan_of("referring", make_sample(regions=(Region((" Big DOG ",), None, MASKS[0]),)))
    assert plan.names == ("Big DOG",)
    assert plan.questions is not None
    assert "big dog" in plan.questions[0]
    assert plan.exchanges[0].question == WORDING.opening + plan.questions[0]


@pytest.mark.parametrize(
    ("category", "names"),
    [
        ("trash_can", {"trash_can"}),
        ("car_(automobile)", {"car"}),
        ("bus:license plate", {"bus license plate", "the license plate of the bus"}),
        ("mouse_(a):tail_(b)", {"mouse tail", "the tail of the mouse"}),
    ],
)
def test_parts_have_two_names(category, names):
    assert {part_name(category, Rng(seed)) for seed in range(20)} == names


def test_classes_with_a_skip_flag_are_not_asked_for():
    sample = make_sample(labels=LabelMap(b"", "any", (0, 3, 9, 77)))
    plans = [plan_of("labels", sample, seed) for seed in range(9)]
    assert {plan.labels for plan in plans} == {(0, 3), (3, 0)}
    assert {plan.names for plan in plans} == {("wall", "sky"), ("sky", "wall")}
    assert len(plan_of("labels", sample, skip_flags=()).names or ()) == 3
    with pytest.raises(ExampleError, match="none of the classes"):
        plan_of("labels", make_sample(labels=LabelMap(b"", "any", (9,))))


def test_boxes_are_in_the_order_of_their_questions():
    regions = tuple(Region((f"r{n}",), Box(n, 0, n + 1, 1)) for n in range(5))
    crowd = Region(("crowd",), Box(0, 0, 1, 1), attributes=("ignore",))
    plan = plan_of("regions", make_sample(regions=(*regions, crowd)), max_regions=4)
    assert plan.boxes is not None
    answers = [exchange.answer for exchange in plan.exchanges]
    assert [f"r{int(box.x0)}" for box in plan.boxes] == answers
    assert len(plan.boxes) == 4
    for number, exchange in enumerate(plan.exchanges):
        assert exchange.question.count(f"region{number + 1} <bbox>") == 1
    one = plan_of("expression", make_sample(regions=regions), item_index=2)
    assert [exchange.answer for exchange in one.exchanges] == ["r2"]
    assert one.exchanges[0].question == WORDING.expression_opening + "region1 <bbox>"


def test_a_sentence_has_a_box_for_every_token():
    regions = tuple(make_region(0, n, n + 1, box=Box(n, 0, n + 1, 1)) for n in range(3))
    plan = plan_of("sentence", make_sample(captions=("abc",), regions=regions))
    tokens = sum(exchange.question.count("<bbox>") for exchange in plan.exchanges)
    assert plan.boxes is not None
    assert len(plan.boxes) == tokens == 6
    assert plan.boxes[:3] == plan.boxes[3:]
    assert plan.exchanges[0].answer == "abc"
    assert sorted(plan.names or ()) == ["a", "b", "c"]


def test_a_conversation_starts_with_the_image_token():
    turns = [("gpt", "hello"), ("human", "What?\n<image>"), ("gpt", "A dog.")]
    turns += [("human", "Why?"), ("gpt", "So.")]
    sample = make_sample(conversations=(tuple(Turn(*each) for each in turns),))
    expected = (("<image>\nWhat?", "A dog."), ("Why?", "So."))
    assert plan_of("conversation", sample).exchanges == expected


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "in turn"),
        ([("human", "a")], "in turn"),
        ([("human", "a"), ("human", "b")], "in turn"),
        ([("human", "<image>a"), ("gpt", "<image>b")], "in several turns"),
        ([("human", "<image>a"), ("gpt", "")], "empty"),
        ([("human", "<image> USER: a ASSISTANT: b"), ("gpt", "c")], "reads as a special token"),
    ],
)
def test_a_conversation_that_the_collate_function_cannot_split_is_refused(turns, reason):
    sample = make_sample(conversations=(tuple(Turn(*each) for each in turns),))
    with pytest.raises(ExampleError, match=reason):
        plan_of("conversation", sample)


@pytest.mark.parametrize("task", ITEM_COLUMNS)
def test_a_sample_without_annotations_is_refused_by_name(task):
    with pytest.raises(ExampleError, match="any-1"):
        plan_of(task, make_sample())
    assert issubclass(ExampleError, ShardError)


@pytest.mark.parametrize("token", RESERVED)
def test_text_with_a_special_token_is_refused(token):
    with pytest.raises(ExampleError, match="which GLaMM reads as a special token"):
        plan_of("caption", make_sample(captions=(f"a {token} b",)))


def test_a_requested_item_must_exist():
    with pytest.raises(ExampleError, match=r"any-1: caption 5 was requested; the sample has 1"):
        plan_of("caption", make_sample(captions=("a",)), item_index=5)
    with pytest.raises(ExampleError, match=r"any-1: caption -1 was requested; the sample has 1"):
        plan_of("caption", make_sample(captions=("a",)), item_index=-1)
    with pytest.raises(LoadError, match="item_index is 0; the task 'labels' is not about one item"):
        plan_of("labels", make_sample(), item_index=0)


def test_the_seed_determines_everything():
    sample = make_sample(regions=(Region(tuple("abcdefgh"), None, MASKS[0]),))
    plans = {plan_of("referring", sample, seed) for seed in range(40) for _ in range(2)}
    assert 30 < len(plans) <= 40
    wrapped = plan_of("referring", sample, (1 << 64) + 7)
    assert wrapped == plan_of("referring", sample, 7)
    # the same for ever, in any version of any library
    assert [Rng(7).below(1000), Rng(8).below(1000)] == [389, 618]
    assert "".join(Rng(3).draw("abcdef", 4)) == "aebd"
