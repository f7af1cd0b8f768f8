"""Plans of text about the whole photo: a caption, or a stored conversation."""

from shards.errors import ExampleError
from shards.glamm.conversation import IMAGE, Exchange, check_text
from shards.glamm.plan import ExamplePlan, ExampleRequest, choose_item
from shards.random import Rng
from shards.sample import Sample, Turn

_SPEAKERS = ("human", "gpt")
"""Who asks and who answers, as LLaVA names them."""


def plan_caption(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """One caption.

    Raises:
        ExampleError: if there is none.
    """
    captions = [caption.strip() for caption in sample.captions]
    problems = [None if caption else "empty" for caption in captions]
    number = choose_item(problems, rng, request.item_index, f"{sample.key}: caption")
    caption = check_text(captions[number], sample.key)
    question = rng.pick(request.prompts.caption_questions).strip()
    exchange = Exchange(request.prompts.opening + question, caption)
    return ExamplePlan((exchange,), questions=(), names=(caption,))


def plan_conversation(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """One conversation. If it mentions the photo, the image token starts its turn.

    Raises:
        ExampleError: if there is none, or questions and answers do not alternate.
    """
    problems = [None] * len(sample.conversations)
    number = choose_item(problems, rng, request.item_index, f"{sample.key}: conversation")
    where = f"{sample.key}: conversation {number}"
    turns = list(sample.conversations[number])
    if turns and turns[0].speaker == _SPEAKERS[1]:
        del turns[0]
    speakers = tuple(turn.speaker for turn in turns)
    if not turns or speakers != _SPEAKERS * (len(turns) // 2):
        raise ExampleError(
            f"{where}: expected {' and '.join(_SPEAKERS)} in turn, found {list(speakers[:6])}"
        )
    texts = [_move_image_token(turn, where) for turn in turns]
    if sum(text.count(IMAGE) for text in texts) > 1:
        raise ExampleError(f"{where}: expected {IMAGE} at most once, found it in several turns")
    exchanges = map(Exchange, texts[::2], texts[1::2])
    return ExamplePlan(tuple(exchanges), questions=None, names=None)


def _move_image_token(turn: Turn, where: str) -> str:
    """The text of a turn, with its image token, if it has one, moved to a first line of its own."""
    if IMAGE not in turn.text:
        return check_text(turn.text, where)
    text = turn.text.replace(IMAGE, "").strip()
    if text:
        check_text(text, where)
    return f"{IMAGE}\n{text}".strip()
