"""The text that the language model is trained on, in LLaVA's template `llava_v1`.

Template: haotian-liu/LLaVA, `conversation.py`. It is the default of the reference's `train.py`. The
reference's collate function splits the text at `SEPARATORS` to find the answers.
"""

from collections.abc import Iterable
from typing import NamedTuple

from shards.errors import ExampleError

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
SEPARATORS = ("</s>", "ASSISTANT:")
IMAGE, BOX, SEG = "<image>", "<bbox>", "[SEG]"
"""Special tokens: where the photo, a box and a mask stand in the text."""
REGION, CLASS_NAME = "<region>", "{class_name}"
"""Placeholders of the prompts, replaced by a region or a name."""
RESERVED = (
    IMAGE, BOX, SEG, REGION, "<point>", "<p>", "</p>", "<im_start>", "<im_end>", "<s>", "<unk>",
    *SEPARATORS,
)  # fmt: skip
"""Strings that text of a source must not contain: the tokenizer, the model or the collate function
gives them a meaning of their own."""


class Exchange(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def render(exchanges: Iterable[Exchange]) -> str:
    r"""The complete training text of some exchanges.

    >>> render([Exchange("<image>\nWhat is it?", "A mug.")]).removeprefix(SYSTEM)
    ' USER: <image>\nWhat is it? ASSISTANT: A mug.</s>'
    """
    turns = (f"USER: {question} ASSISTANT: {answer}</s>" for question, answer in exchanges)
    return f"{SYSTEM} {''.join(turns)}"


def check_text(text: str, where: str) -> str:
    """Return text of a source unchanged.

    Raises:
        ExampleError: if it is empty or contains a string of `RESERVED`.
    """
    if not text:
        raise ExampleError(f"{where}: a text to train on is empty")
    for token in RESERVED:
        if token in text:
            raise ExampleError(
                f"{where}: {text[:80]!r} contains {token}, which GLaMM reads as a special token"
            )
    return text
