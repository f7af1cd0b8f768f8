"""Prompts: our wording, those of a checkout of the reference, and invalid ones."""

from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest

from shards.errors import LoadError
from shards.glamm import WORDING, Prompts


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"opening": "No photo."}, "opening.* contains <image> 0 times"),
        ({"segment_answers": ("[SEG] [SEG]",)}, r"contains \[SEG\] 2 times; expected it once"),
        ({"caption_questions": ()}, "caption_questions is empty"),
        ({"caption_questions": ("a</s>",)}, "contains </s>, which separates the turns"),
    ],
)
def test_prompts_that_cannot_be_trained_on_are_refused(changes, reason):
    with pytest.raises(LoadError, match=reason):
        replace(WORDING, **changes)


def test_our_wording_has_variants_in_full_sentences():
    for field in fields(WORDING):
        value = getattr(WORDING, field.name)
        if isinstance(value, str) or value in (("<region>",), WORDING.segment_answers):
            continue
        assert len(set(value)) == len(value) >= 5, field.name
        for sentence in value:
            assert sentence[0].isupper(), sentence
            assert sentence.endswith((".", "?")), sentence


LISTS = (
    "CAPTION_QUESTIONS", "REGION_QUESTIONS", "REGION_GROUP_QUESTIONS", "GCG_QUESTIONS",
    "SEG_QUESTIONS", "ANSWER_LIST",
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path) -> ModuleType:
    """Files of the reference's layout, with other sentences."""
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
    tokens = {"SEG_QUESTIONS": "{class_name}", "ANSWER_LIST": "[SEG]"}
    for name in LISTS:
        setattr(module, name, [f"{name} {tokens.get(name, '<region>')}"])
    return module


def test_prompts_of_a_checkout(checkout):
    prompts = Prompts.of_reference(checkout)
    assert prompts.opening == "See <image>.\n"
    assert prompts.expression_opening == "<image>\nOne thing."
    assert prompts.expression_questions == ("<region>",)
    assert prompts.segment_questions == ("SEG_QUESTIONS {class_name}",)
    assert prompts.group_questions == ("REGION_GROUP_QUESTIONS <region>",)


def test_a_checkout_of_something_else_is_refused(checkout):
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
