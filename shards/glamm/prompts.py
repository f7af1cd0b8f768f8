"""What is said to the model around the data: a value, so that a run can bring its own."""

from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Self

from shards.errors import LoadError
from shards.glamm.conversation import IMAGE, NAME, REGION, SEGMENT, SEPARATORS
from shards.glamm.literals import assigned

_NEEDS = {
    "opening": IMAGE,
    "expression_opening": IMAGE,
    "expression_questions": REGION,
    "region_questions": REGION,
    "group_questions": REGION,
    "segment_questions": NAME,
    "segment_answers": SEGMENT,
}
"""Field -> the mark that each of its texts must hold; once, but for the name of a class."""

_GROUNDED = "gcg_datasets/GranDf_gcg_ds.py", "GCGBaseDataset"
_EXPRESSION = "region_datasets/RefCOCO_VG_Region_ds.py", "RefCocoRegDataset"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Sentences, one of which is drawn where there are several.

    `<image>` is where the photo stands, `<region>` where a region is named, `{class_name}` where a
    thing is, `[SEG]` where a mask is answered.

    Attributes:
        opening: before the first question.
        expression_opening: the same, where one object is to be told from others.
        expression_questions: about that object.
        region_questions: about one region.
        group_questions: about several regions at once, whose answer is a sentence about them.
        caption_questions: about the whole photo.
        grounded_questions: about the whole photo, to be answered with masks.
        segment_questions: for a mask of a thing.
        segment_answers: to those.
    """

    opening: str
    expression_opening: str
    expression_questions: tuple[str, ...]
    region_questions: tuple[str, ...]
    group_questions: tuple[str, ...]
    caption_questions: tuple[str, ...]
    grounded_questions: tuple[str, ...]
    segment_questions: tuple[str, ...]
    segment_answers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what the model could not be trained on.

        Raises:
            LoadError: naming the field and the text.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            texts = (value,) if isinstance(value, str) else tuple(value)
            if not texts:
                raise LoadError(f"prompts: {field.name} is empty; expected at least one text")
            for text in texts:
                _check(field.name, text)

    @classmethod
    def of_reference(cls, module: ModuleType) -> Self:
        """The reference's own, from the checkout that a run trains with.

        Args:
            module: its `dataset.utils.utils`; the sentences that it keeps elsewhere are read from
                the files beside it, which are not run.

        Raises:
            LoadError: naming what is not where the reference has it.
        """
        folder = Path(module.__file__ or "").parents[1]
        grounded, expression = folder / _GROUNDED[0], folder / _EXPRESSION[0]

        def listed(name: str) -> tuple[str, ...]:
            found = getattr(module, name, None)
            if not found:
                raise LoadError(f"{module.__file__}: no list {name}; is it the reference's?")
            return tuple(found)

        questions = assigned(expression, _EXPRESSION[1], "question_templates")
        return cls(
            opening=str(assigned(grounded, _GROUNDED[1], "begin_str")),
            expression_opening=str(assigned(expression, _EXPRESSION[1], "intro_string")),
            expression_questions=tuple(map(str, questions)),
            region_questions=listed("REGION_QUESTIONS"),
            group_questions=listed("REGION_GROUP_QUESTIONS"),
            caption_questions=listed("CAPTION_QUESTIONS"),
            grounded_questions=listed("GCG_QUESTIONS"),
            segment_questions=listed("SEG_QUESTIONS"),
            segment_answers=listed("ANSWER_LIST"),
        )


def _check(field: str, text: str) -> None:
    mark = _NEEDS.get(field)
    times = text.count(mark) if mark else 1
    if times != 1 and not (mark == NAME and times):
        raise LoadError(f"prompts: {field}: {text!r} holds {mark} {times} times; expected once")
    for separator in SEPARATORS:
        if separator in text:
            raise LoadError(f"prompts: {field}: {text!r} holds {separator}, where texts are cut")
