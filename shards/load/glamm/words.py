"""Words about the whole photo: a caption, or a conversation as it was had."""

from collections.abc import Sequence

from shards.errors import ExampleError
from shards.load.glamm.chance import Chance
from shards.load.glamm.choose import choose_one
from shards.load.glamm.conversation import IMAGE, Turn, plain
from shards.load.glamm.draft import Draft
from shards.load.glamm.prompts import Prompts
from shards.sample import Sample
from shards.sample import Turn as Said

_ASKS, _ANSWERS = "human", "gpt"


def draft_caption(sample: Sample, chance: Chance, prompts: Prompts, which: int | None) -> Draft:
    """One caption.

    Raises:
        ExampleError: if there is none.
    """
    texts = [caption.strip() for caption in sample.captions]
    usable = {number: None if text else "empty" for number, text in enumerate(texts)}
    number = choose_one(usable, chance, which, f"{sample.key}: caption")
    caption = plain(texts[number], sample.key)
    question = chance.pick(prompts.caption_questions).strip()
    turns = (Turn(prompts.opening + question, caption),)
    return Draft(turns, questions=(), names=(caption,))


def draft_conversation(sample: Sample, chance: Chance, which: int | None) -> Draft:
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
    return Draft(tuple(_pair(texts)), questions=None, names=None)


def _move_mark(turn: Said, where: str) -> str:
    """The text, with its mark for the photo, if it has one, on a line of its own before it."""
    if IMAGE not in turn.text:
        return plain(turn.text, where)
    text = turn.text.replace(IMAGE, "").strip()
    if text:
        plain(text, where)
    return f"{IMAGE}\n{text}".strip()


def _pair(texts: Sequence[str]) -> list[Turn]:
    return [Turn(*pair) for pair in zip(texts[::2], texts[1::2], strict=True)]
