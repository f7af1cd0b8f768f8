"""What an example will be, before any pixel is touched."""

from dataclasses import dataclass

from shards.glamm.conversation import Exchange
from shards.sample import Box, Rle


@dataclass(frozen=True, slots=True)
class ExamplePlan:
    """The choices of one example.

    Attributes:
        turns: with everything that is said around them.
        questions: as the reference lists them beside the conversation; None where it lists the
            conversation itself.
        names: what is asked for, or the answers; None where the reference has the conversation.
        masks: one for every `[SEG]` of the answers, in their order.
        labels: class ids in place of masks, where there is a label map.
        boxes: one for every `<bbox>` of the questions, in their order.
    """

    turns: tuple[Exchange, ...]
    questions: tuple[str, ...] | None
    names: tuple[str, ...] | None
    masks: tuple[Rle, ...] | None = None
    labels: tuple[int, ...] | None = None
    boxes: tuple[Box, ...] | None = None
