"""What an example will contain, decided before any pixel is decoded; and how its items are chosen.

An *item* is a caption, a phrase or a conversation of a sample. Items are numbered in stored order,
as the sample index counts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shards.errors import ExampleError
from shards.glamm.conversation import Exchange
from shards.glamm.prompts import Prompts
from shards.glamm.settings import Settings
from shards.random import Rng
from shards.sample import Box, Region, Rle, Sample


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """The choices that the caller makes; a seed decides the others.

    Attributes:
        settings: limits on the number of regions and classes.
        prompts: to draw questions and answers from.
        class_names: class id -> name, for the classes of a label map that may be asked for.
        item_index: of the caption, phrase or conversation; None draws one.
        lowercase: whether a grounded caption is converted to lower case.
    """

    settings: Settings
    prompts: Prompts
    class_names: Mapping[int, str]
    item_index: int | None = None
    lowercase: bool = False


@dataclass(frozen=True, slots=True)
class ExamplePlan:
    """The text of one example, and which annotations go with it.

    Attributes:
        exchanges: the conversation, prompts included.
        questions: as the reference lists them beside the conversation; None where it lists the
            conversation itself.
        names: of the objects asked for, or the answers; None where the reference lists the
            conversation.
        masks: one for each `[SEG]` of the answers, in order.
        labels: class ids instead of masks, where there is a label map.
        boxes: one for each `<bbox>` of the questions, in order.
    """

    exchanges: tuple[Exchange, ...]
    questions: tuple[str, ...] | None
    names: tuple[str, ...] | None
    masks: tuple[Rle, ...] | None = None
    labels: tuple[int, ...] | None = None
    boxes: tuple[Box, ...] | None = None


def list_phrases(sample: Sample) -> list[tuple[Region, str]]:
    """Every phrase with its region, in stored order: what the index counts as `phrases`."""
    return [(region, phrase) for region in sample.regions for phrase in region.phrases]


def choose_item(
    problems: Sequence[str | None], rng: Rng, item_index: int | None, where: str
) -> int:
    """The index of the requested item, or of a randomly drawn one that can be used.

    Args:
        problems: for each item, why it cannot be used; None if it can.
        rng: draws, where no item is requested.
        item_index: the requested item, or None.
        where: the sample's key and the kind of item, such as `refcoco-12: caption`.

    Raises:
        ExampleError: if there is no such item, or it cannot be used.
    """
    if item_index is not None:
        if not 0 <= item_index < len(problems):
            raise ExampleError(
                f"{where} {item_index} was requested; the sample has {len(problems)}"
            )
        if problems[item_index] is not None:
            raise ExampleError(f"{where} {item_index} cannot be used: {problems[item_index]}")
        return item_index
    usable = _usable(problems)
    if not usable:
        reasons = sorted({reason for reason in problems if reason}) or ["there is none"]
        raise ExampleError(f"{where}: none can be used: {'; '.join(reasons)}")
    return rng.pick(usable)


def choose_items(
    problems: Sequence[str | None], rng: Rng, item_index: int | None, limit: int, where: str
) -> list[int]:
    """The index of the requested item alone, or of up to `limit` randomly drawn usable ones.

    Raises:
        ExampleError: as `choose_item`.
    """
    if item_index is None:
        drawn = rng.draw(_usable(problems), limit)
        if drawn:
            return drawn
    return [choose_item(problems, rng, item_index, where)]


def _usable(problems: Sequence[str | None]) -> list[int]:
    return [index for index, problem in enumerate(problems) if problem is None]
