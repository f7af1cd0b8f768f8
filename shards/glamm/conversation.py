"""The text a language model is trained on: LLaVA's template `llava_v1`.

Template: haotian-liu/LLaVA, `conversation.py`. The reference's `train.py` makes it the default, and
its collate finds the answers again by cutting the text at `SEPARATORS`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shards.errors import ExampleError

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
SEPARATORS = ("</s>", "ASSISTANT:")
IMAGE, BOX, SEGMENT, REGION, NAME = "<image>", "<bbox>", "[SEG]", "<region>", "{class_name}"
MARKS = (
    IMAGE, BOX, SEGMENT, REGION, "<point>", "<p>", "</p>", "<im_start>", "<im_end>", "<s>", "<unk>",
    *SEPARATORS,
)  # fmt: skip
"""What text of a source must not hold: the tokenizer, the model or the collate takes it for more
than text."""


class Exchange(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def render(turns: Sequence[Exchange]) -> str:
    r"""The whole text.

    >>> render([Exchange("<image>\nWhat is it?", "A mug.")]).removeprefix(SYSTEM)
    ' USER: <image>\nWhat is it? ASSISTANT: A mug.</s>'
    """
    said = (f"USER: {question} ASSISTANT: {answer}</s>" for question, answer in turns)
    return f"{SYSTEM} {''.join(said)}"


def plain(text: str, key: str) -> str:
    """Text of a source, unchanged.

    Raises:
        ExampleError: if it is empty, or would be taken for more than text.
    """
    if not text:
        raise ExampleError(f"{key}: a text to be learned is empty")
    found = [mark for mark in MARKS if mark in text]
    if found:
        raise ExampleError(f"{key}: {text[:80]!r} holds {found[0]}, which GLaMM takes for a mark")
    return text
