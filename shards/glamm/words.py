"""Words about the whole photo: a caption, or a conversation as it was had."""

from collections.abc import Sequence

from shards.errors import ExampleError
from shards.glamm.chance import Rng
from shards.glamm.choose import choose_one
from shards.glamm.conversation import IMAGE, Exchange, plain
from shards.glamm.draft import ExamplePlan
from shards.glamm.prompts import Prompts
from shards.sample import Sample, Turn

_ASKS, _ANSWERS = "human", "gpt"


def draft_caption(sample: Sample, chance: Rng, prompts: Prompts, which: int | None) -> ExamplePlan:
    """One caption.

    Raises:
        ExampleError: if there is none.
    """
    texts = [caption.strip() for caption in sample.captions]
    usable = {number: None if text else "empty" for number, text in enumerate(texts)}
    number = choose_one(usable, chance, which, f"{sample.key}: caption")
    caption = plain(texts[number], sample.key)
    question = chance.pick(prompts.caption_questions).strip()
    turns = (Exchange(prompts.opening + question, caption),)
    return ExamplePlan(turns, questions=(), names=(caption,))


def draft_conversation(sample: Sample, chance: Rng, which: int | None) -> ExamplePlan:
    """One conversation, the mark for the photo at its start.

    Raises:
        ExampleError: if there is none, or it is not question and answer in turn.
    """
    usable = dict.fromkeys(range(len(sample.conversations)))
    number = choose_one(usable, chance, which, f"{sample.key}: conversation")
    where = f"{sample.key}: conversation {number}"
    said = list(sample.conversations[number])
    if said and said[0].speaker == _ANSWERS:
        del said[0]
    expected = [_ASKS, _ANSWERS] * (len(said) // 2)
    found = [turn.speaker for turn in said]
    if not said or found != expected:
        raise ExampleError(f"{where}: expected {_ASKS} and {_ANSWERS} in turn, found {found[:6]}")
    texts = [_move_mark(turn, where) for turn in said]
    if sum(text.count(IMAGE) for text in texts) > 1:
        raise ExampleError(f"{where}: several marks for one photo")
    return ExamplePlan(tuple(_pair(texts)), questions=None, names=None)


def _move_mark(turn: Turn, where: str) -> str:
    """The text, with its mark for the photo, if it has one, on a line of its own before it."""
    if IMAGE not in turn.text:
        return plain(turn.text, where)
    text = turn.text.replace(IMAGE, "").strip()
    if text:
        plain(text, where)
    return f"{IMAGE}\n{text}".strip()


def _pair(texts: Sequence[str]) -> list[Exchange]:
    return [Exchange(*pair) for pair in zip(texts[::2], texts[1::2], strict=True)]
