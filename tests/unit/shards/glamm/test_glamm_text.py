"""What an example says, and of what: no pixel is looked at."""

import pickle
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from shards.classes import ClassInfo
from shards.errors import LoadError, ShardError
from shards.glamm import EXPANDS, SOURCES, WORDING, ExampleError, Examples, Prompts, Settings
from shards.glamm.chance import Rng
from shards.glamm.conversation import MARKS
from shards.glamm.grounded import lower
from shards.glamm.segment import part_name
from shards.glamm.sources import COUNTED, FAMILIES
from shards.sample import Box, EncodedImage, LabelMap, Region, Rle, Sample, Size, Span, Turn
from tests.conftest import REPOSITORY

SIZE = Size(4, 6)
WRONG: Any = "dance"
MASKS = [Rle(SIZE, bytes([48 + n])) for n in range(4)]
CLASSES = (
    ClassInfo(0, "Wall"),
    ClassInfo(3, "Sky"),
    ClassInfo(9, "tree-other", ("skipped-by-reference",)),
)


def photo(source="any", **told):
    return Sample(f"{source}-1", EncodedImage(b"", "jpg", SIZE), SIZE, **told)


def of(task, sample, seed=0, which=None, **settings):
    made = Examples("any", Settings(**settings), task=task, classes=CLASSES)
    return made.draft(sample, seed, which)


def spoken(*where, mask=None, box=None, name="it"):
    return Region((name,), box, mask, (Span(*where),))


def test_the_table_has_every_source_of_the_config():
    config = yaml.safe_load((REPOSITORY / "configs/glamm.yaml").read_text())
    assert set(SOURCES) == set(config["sources"]) == set(EXPANDS)
    for rule in SOURCES.values():
        assert rule.expands in (None, COUNTED[rule.task])
    assert set(COUNTED) == set(FAMILIES)


def test_overlapping_phrases_leave_room_for_the_first_and_longest():
    regions = (
        spoken(0, 9, 12, mask=MASKS[0], name="inner"),
        spoken(0, 0, 5, mask=MASKS[1], name="short"),
        spoken(0, 0, 7, mask=MASKS[2], name="long"),
        spoken(0, 7, 12, mask=MASKS[3], name="next"),
        spoken(0, 13, 14, name="no mask"),
        spoken(1, 0, 5, mask=MASKS[0], name="another caption"),
    )
    draft = of("grounded", photo(captions=("A dog.. cat", "B"), regions=regions), which=0)
    assert draft.names == ("long", "next")
    assert draft.masks == (MASKS[2], MASKS[3])
    (turn,) = draft.turns
    assert turn.answer == "<p> A dog.. </p> [SEG]<p>  cat </p> [SEG]"


def test_a_region_is_tagged_where_it_is_first_spoken_of():
    region = Region(("b", "a"), None, MASKS[0], (Span(0, 2, 3), Span(0, 0, 1)))
    draft = of("grounded", photo(captions=("a b",), regions=(region,)))
    assert draft.turns[0].answer == "a <p> b </p> [SEG]"
    assert draft.names == ("b",)


def test_letters_are_lowered_for_one_source_alone():
    told = {"captions": ("A Dog",), "regions": (spoken(0, 2, 5, mask=MASKS[0]),)}
    answers = [
        Examples(source).draft(photo(source, **told), 0).turns[0].answer
        for source in ("refcocog_gcg", "grandf_ha")
    ]
    assert answers == ["a <p> dog </p> [SEG]", "A <p> Dog </p> [SEG]"]
    assert [len(lower(text)) for text in ("İİ", "AB")] == [2, 2]


def test_chance_picks_among_captions_that_have_a_mask():
    regions = (spoken(1, 0, 1, mask=MASKS[0]),)
    sample = photo(captions=("none", "b"), regions=regions)
    assert {of("grounded", sample, seed).turns[0].answer for seed in range(9)} == {
        "<p> b </p> [SEG]"
    }
    with pytest.raises(ExampleError, match=r"any-1: caption 0 cannot be used: none of its phrases"):
        of("grounded", sample, which=0)


def test_expressions_are_drawn_without_repeating_one():
    region = Region(("a", "b", "c", "d"), None, MASKS[0])
    sample = photo(regions=(Region(("no mask",)), region))
    names = [of("referring", sample, seed).names for seed in range(50)]
    assert {len(set(each)) for each in names} == {3}
    assert {name for each in names for name in each} == {"a", "b", "c", "d"}
    assert of("referring", sample, which=2).names == ("b",)
    assert len(of("referring", sample, classes=9).names) == 4


def test_a_question_is_in_small_letters_and_its_name_is_not():
    draft = of("referring", photo(regions=(Region((" Big DOG ",), None, MASKS[0]),)))
    assert draft.names == ("Big DOG",)
    assert draft.questions is not None
    assert "big dog" in draft.questions[0]
    assert draft.turns[0].question == WORDING.opening + draft.questions[0]


@pytest.mark.parametrize(
    ("category", "names"),
    [
        ("trash_can", {"trash_can"}),
        ("car_(automobile)", {"car"}),
        ("bus:license plate", {"bus license plate", "the license plate of the bus"}),
        ("mouse_(a):tail_(b)", {"mouse tail", "the tail of the mouse"}),
    ],
)
def test_parts_are_named_in_two_ways(category, names):
    assert {part_name(category, Rng(seed)) for seed in range(20)} == names


def test_classes_that_are_to_be_skipped_are_not_asked_for():
    sample = photo(labels=LabelMap(b"", "any", (0, 3, 9, 77)))
    drafts = [of("labels", sample, seed) for seed in range(9)]
    assert {draft.labels for draft in drafts} == {(0, 3), (3, 0)}
    assert {draft.names for draft in drafts} == {("wall", "sky"), ("sky", "wall")}
    assert len(of("labels", sample, skipped=()).names or ()) == 3
    with pytest.raises(ExampleError, match="none of the classes"):
        of("labels", photo(labels=LabelMap(b"", "any", (9,))))


def test_boxes_stand_in_the_order_of_their_questions():
    regions = tuple(Region((f"r{n}",), Box(n, 0, n + 1, 1)) for n in range(5))
    crowd = Region(("crowd",), Box(0, 0, 1, 1), attributes=("ignore",))
    draft = of("regions", photo(regions=(*regions, crowd)), regions=4)
    assert draft.boxes is not None
    assert [f"r{int(box.x0)}" for box in draft.boxes] == [turn.answer for turn in draft.turns]
    assert len(draft.boxes) == 4
    for number, turn in enumerate(draft.turns):
        assert turn.question.count(f"region{number + 1} <bbox>") == 1
    one = of("expression", photo(regions=regions), which=2)
    assert [turn.answer for turn in one.turns] == ["r2"]
    assert one.turns[0].question == WORDING.expression_opening + "region1 <bbox>"


def test_a_sentence_has_a_box_for_every_mark():
    regions = tuple(spoken(0, n, n + 1, box=Box(n, 0, n + 1, 1)) for n in range(3))
    draft = of("sentence", photo(captions=("abc",), regions=regions))
    marks = sum(turn.question.count("<bbox>") for turn in draft.turns)
    assert draft.boxes is not None
    assert len(draft.boxes) == marks == 6
    assert draft.boxes[:3] == draft.boxes[3:]
    assert draft.turns[0].answer == "abc"
    assert sorted(draft.names or ()) == ["a", "b", "c"]


def test_a_conversation_begins_with_the_photo():
    said = [("gpt", "hello"), ("human", "What?\n<image>"), ("gpt", "A dog.")]
    said += [("human", "Why?"), ("gpt", "So.")]
    sample = photo(conversations=(tuple(Turn(*each) for each in said),))
    assert of("conversation", sample).turns == (("<image>\nWhat?", "A dog."), ("Why?", "So."))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], "in turn"),
        ([("human", "a")], "in turn"),
        ([("human", "a"), ("human", "b")], "in turn"),
        ([("human", "<image>a"), ("gpt", "<image>b")], "several marks"),
        ([("human", "<image>a"), ("gpt", "")], "empty"),
        ([("human", "<image> USER: a ASSISTANT: b"), ("gpt", "c")], "mark"),
    ],
)
def test_a_conversation_that_the_collate_would_fail_on_is_refused(said, reason):
    sample = photo(conversations=(tuple(Turn(*each) for each in said),))
    with pytest.raises(ExampleError, match=reason):
        of("conversation", sample)


@pytest.mark.parametrize("task", COUNTED)
def test_a_sample_that_says_nothing_is_refused_by_name(task):
    with pytest.raises(ExampleError, match="any-1"):
        of(task, photo())
    assert issubclass(ExampleError, ShardError)


@pytest.mark.parametrize("mark", MARKS)
def test_text_that_is_a_mark_is_refused(mark):
    with pytest.raises(ExampleError, match="GLaMM takes for a mark"):
        of("caption", photo(captions=(f"a {mark} b",)))


def test_what_is_asked_for_must_be_there():
    with pytest.raises(ExampleError, match=r"caption 5 was asked for; there are 1"):
        of("caption", photo(captions=("a",)), which=5)
    with pytest.raises(LoadError, match="labels counts nothing"):
        of("labels", photo(), which=0)


def test_a_seed_decides_everything():
    sample = photo(regions=(Region(tuple("abcdefgh"), None, MASKS[0]),))
    drafts = {of("referring", sample, seed) for seed in range(40) for _ in range(2)}
    assert 30 < len(drafts) <= 40
    assert of("referring", sample, (1 << 64) + 7) == of("referring", sample, 7)
    # these hold for ever, in any version of anything
    assert [Rng(7).below(1000), Rng(8).below(1000)] == [389, 618]
    assert "".join(Rng(3).draw("abcdef", 4)) == "aebd"


def test_examples_go_to_other_processes():
    made = Examples("ade20k", Settings(classes=2), classes=CLASSES)
    again = pickle.loads(pickle.dumps(made))
    sample = photo("ade20k", labels=LabelMap(b"", "any", (0, 3)))
    assert again == made
    assert again.draft(sample, 4) == made.draft(sample, 4)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Examples("nothing"), "no source 'nothing'"),
        (lambda: Examples("nothing", task=WRONG), "no task 'dance'"),
        (lambda: Examples("ade20k"), r"classes\.json"),
        (lambda: Examples("refcoco", expand="regions"), "there are as many as phrases"),
        (lambda: Settings(classes=0), "classes is 0"),
        (lambda: Settings(precision=WRONG), "precision is 'dance'"),
        (lambda: Settings(grounding=WRONG), "grounding is 'dance'"),
        (lambda: replace(WORDING, opening="No photo."), "opening.* 0 times"),
        (lambda: replace(WORDING, segment_answers=("[SEG] [SEG]",)), "2 times"),
        (lambda: replace(WORDING, caption_questions=()), "caption_questions is empty"),
        (lambda: replace(WORDING, caption_questions=("a</s>",)), "where texts are cut"),
    ],
)
def test_what_cannot_be_is_refused_at_once(make, reason):
    with pytest.raises(LoadError, match=reason):
        make()


def test_another_task_than_the_sources_own():
    made = Examples("grand_referring", task="regions")
    assert (made.does, made.family) == ("regions", "reg")


LISTS = (
    "CAPTION_QUESTIONS", "REGION_QUESTIONS", "REGION_GROUP_QUESTIONS", "GCG_QUESTIONS",
    "SEG_QUESTIONS", "ANSWER_LIST",
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path) -> ModuleType:
    """Files of the shape of the reference's, with other sentences."""
    (tmp_path / "gcg_datasets").mkdir()
    (tmp_path / "region_datasets").mkdir()
    (tmp_path / "gcg_datasets/GranDf_gcg_ds.py").write_text(
        "class GCGBaseDataset(Base):\n"
        "    def __init__(self):\n"
        '        self.begin_str = f"""See {DEFAULT_IMAGE_TOKEN}.\\n"""\n'
    )
    (tmp_path / "region_datasets/RefCOCO_VG_Region_ds.py").write_text(
        "class RefCocoRegDataset(Base):\n"
        "    def __init__(self):\n"
        '        intro_string = DEFAULT_IMAGE_TOKEN + "\\n" + ("One " "thing.")\n'
        "        question_templates = ['<region>',]\n"
    )
    module = ModuleType("utils")
    module.__file__ = str(tmp_path / "utils" / "utils.py")
    marks = {"SEG_QUESTIONS": "{class_name}", "ANSWER_LIST": "[SEG]"}
    for name in LISTS:
        setattr(module, name, [f"{name} {marks.get(name, '<region>')}"])
    return module


def test_prompts_of_a_checkout(checkout):
    found = Prompts.of_reference(checkout)
    assert found.opening == "See <image>.\n"
    assert found.expression_opening == "<image>\nOne thing."
    assert found.expression_questions == ("<region>",)
    assert found.segment_questions == ("SEG_QUESTIONS {class_name}",)
    assert found.group_questions == ("REGION_GROUP_QUESTIONS <region>",)


def test_a_checkout_that_is_none_is_refused(checkout):
    delattr(checkout, "GCG_QUESTIONS")
    with pytest.raises(LoadError, match="no list GCG_QUESTIONS"):
        Prompts.of_reference(checkout)
    path = Path(checkout.__file__ or "").parents[1] / "gcg_datasets/GranDf_gcg_ds.py"
    path.write_text("class GCGBaseDataset:\n    begin_str = make()\n")
    with pytest.raises(LoadError, match=r"expected a text, found make\(\)"):
        Prompts.of_reference(checkout)
    path.write_text("class Other: pass\n")
    with pytest.raises(LoadError, match="assigns no begin_str"):
        Prompts.of_reference(checkout)
    path.unlink()
    with pytest.raises(LoadError, match="expected a file of the reference"):
        Prompts.of_reference(checkout)
