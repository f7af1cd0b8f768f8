"""The prompts around a source's own text: our wording, the reference's, or a run's own."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Self

from shards.errors import LoadError
from shards.glamm.conversation import CLASS_NAME, IMAGE, REGION, SEG, SEPARATORS

_REQUIRED = {
    "opening": IMAGE,
    "expression_opening": IMAGE,
    "expression_questions": REGION,
    "region_questions": REGION,
    "group_questions": REGION,
    "segment_questions": CLASS_NAME,
    "segment_answers": SEG,
}
"""Field -> the token that each of its texts must contain exactly once; `{class_name}` may occur
more than once."""

_GROUNDED = "gcg_datasets/GranDf_gcg_ds.py", "GCGBaseDataset"
_EXPRESSION = "region_datasets/RefCOCO_VG_Region_ds.py", "RefCocoRegDataset"
_CONSTANTS = {"DEFAULT_IMAGE_TOKEN": IMAGE}
"""Constants that the reference uses in its texts."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Sentences around a source's own text. Where a field has several, one is drawn.

    `<image>` stands for the photo, `<region>` for a region, `{class_name}` for the name of an
    object or class, `[SEG]` for a mask.

    Attributes:
        opening: before the first question.
        expression_opening: before the question about one object that is to be identified.
        expression_questions: about that object.
        region_questions: about one region.
        group_questions: about several regions; the answer is one sentence about all of them.
        caption_questions: about the whole photo.
        grounded_questions: about the whole photo; the answer contains masks.
        segment_questions: for the mask of an object or class.
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
        """Check every text.

        Raises:
            LoadError: naming the field and the text that the model cannot be trained on.
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
        """The reference's own prompts, from the checkout that a run trains with.

        Args:
            module: its `dataset.utils.utils`. Prompts outside this module are parsed from the
                source files beside it, without running them.

        Raises:
            LoadError: naming the prompt that is not where the reference keeps it.
        """
        folder = Path(module.__file__ or "").parents[1]
        grounded, expression = folder / _GROUNDED[0], folder / _EXPRESSION[0]

        def read_list(name: str) -> tuple[str, ...]:
            texts = getattr(module, name, None)
            if not texts:
                raise LoadError(f"{module.__file__}: no list {name}; is it the reference's?")
            return tuple(texts)

        questions = read_assignment(expression, _EXPRESSION[1], "question_templates")
        return cls(
            opening=str(read_assignment(grounded, _GROUNDED[1], "begin_str")),
            expression_opening=str(read_assignment(expression, _EXPRESSION[1], "intro_string")),
            expression_questions=tuple(map(str, questions)),
            region_questions=read_list("REGION_QUESTIONS"),
            group_questions=read_list("REGION_GROUP_QUESTIONS"),
            caption_questions=read_list("CAPTION_QUESTIONS"),
            grounded_questions=read_list("GCG_QUESTIONS"),
            segment_questions=read_list("SEG_QUESTIONS"),
            segment_answers=read_list("ANSWER_LIST"),
        )


def _check(field: str, text: str) -> None:
    token = _REQUIRED.get(field)
    count = text.count(token) if token else 1
    if count != 1 and not (token == CLASS_NAME and count):
        raise LoadError(
            f"prompts: {field}: {text!r} contains {token} {count} times; expected it once"
        )
    for separator in SEPARATORS:
        if separator in text:
            raise LoadError(
                f"prompts: {field}: {text!r} contains {separator}, which separates the turns of a "
                f"conversation; expected a text without it"
            )


def read_assignment(path: Path, class_: str, name: str) -> str | Sequence[str]:
    """The text, or texts, that a class assigns to a variable or attribute; the file is not run.

    Raises:
        LoadError: if the file, the class or the assignment is missing, or the value is not a text.
    """
    try:
        tree = ast.parse(path.read_text())
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: expected a file of the reference: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Assign) and name in map(_target_name, inner.targets):
                    return _value(inner.value, f"{path}: {class_}: {name}")
    raise LoadError(f"{path}: class {class_} assigns no {name}; is it the reference's?")


def _target_name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _value(node: ast.expr, where: str) -> str | list[str]:
    if isinstance(node, ast.List | ast.Tuple):
        return [_text(each, where) for each in node.elts]
    return _text(node, where)


def _text(node: ast.expr, where: str) -> str:
    """A string built from literals and known constants."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, where) for part in parts)
        case ast.FormattedValue(value=inner):
            return _text(inner, where)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, where) + _text(right, where)
    raise LoadError(f"{where}: expected a text, found {ast.unparse(node)}")


WORDING = Prompts(
    opening="<image>\nHere is a photo.\n",
    expression_opening=(
        "<image>\nOne object in this photo is marked. Write a short phrase that sets it apart from "
        "everything else in the photo: what it is, what it looks like or where it is.\n"
    ),
    expression_questions=("<region>",),
    region_questions=(
        "What is in <region>?",
        "What does <region> show?",
        "Describe <region>.",
        "What can you see in <region>?",
        "Can you tell me what is in <region>?",
        "How would you describe <region>?",
        "Please give a short description of <region>.",
    ),
    group_questions=(
        "How are <region> related?",
        "Describe <region> in one sentence.",
        "What is happening in <region>?",
        "Can you sum up <region> in a single sentence?",
        "Write one sentence about <region>.",
    ),
    caption_questions=(
        "What does this photo show?",
        "Write a caption for this photo.",
        "Briefly describe this photo.",
        "Can you sum up what is in this photo?",
        "What can you see here?",
        "How would you describe this photo to someone who can't see it?",
    ),
    grounded_questions=(
        "What does this photo show? Include a mask for each thing you mention.",
        "Describe this photo and add a segmentation mask for everything you mention.",
        "Write a caption for this photo. After each phrase that names something, add its mask.",
        "What can you see here? Please segment each thing as you mention it.",
        "Can you describe this photo and show me where each thing is with a mask?",
    ),
    segment_questions=(
        "Where is {class_name}? Please answer with a mask.",
        "Segment {class_name} in this photo.",
        "Can you segment {class_name}?",
        "Give me a mask for {class_name}.",
        "Which pixels belong to {class_name}?",
        "I need a segmentation mask of {class_name}.",
        "Please show me {class_name} in this photo with a mask.",
    ),
    segment_answers=(
        "[SEG]",
        "Here it is: [SEG].",
        "Here is the mask: [SEG].",
        "Here you go: [SEG].",
        "The mask is [SEG].",
    ),
)
"""Our own prompts. To continue from the reference's weights, use `Prompts.of_reference` instead."""
