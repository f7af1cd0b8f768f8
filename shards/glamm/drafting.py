"""A draft of any task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from shards.glamm.chance import Rng
from shards.glamm.draft import ExamplePlan
from shards.glamm.grounded import draft_grounded
from shards.glamm.prompts import Prompts
from shards.glamm.regions import draft_expression, draft_regions, draft_sentence
from shards.glamm.segment import draft_labels, draft_parts, draft_referring
from shards.glamm.settings import Settings
from shards.glamm.sources import Task
from shards.glamm.words import draft_caption, draft_conversation
from shards.sample import Sample


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """What is asked for, whatever the sample.

    Attributes:
        names: of the classes of a label map that may be asked for.
        which: number of the caption, phrase or conversation; None leaves it to chance.
        lowered: whether a grounded caption's letters are lowered.
    """

    task: Task
    settings: Settings
    prompts: Prompts
    names: Mapping[int, str]
    which: int | None = None
    lowered: bool = False


def draft_example(sample: Sample, chance: Rng, asked: ExampleRequest) -> ExamplePlan:  # noqa: PLR0911 - tasks
    """Choose.

    Raises:
        ExampleError: if the sample has not what the task needs.
    """
    said, which = asked.prompts, asked.which
    few, many = asked.settings.classes, asked.settings.regions
    match asked.task:
        case "grounded":
            return draft_grounded(sample, chance, said, which, lowered=asked.lowered)
        case "referring":
            return draft_referring(sample, chance, said, which, few)
        case "parts":
            return draft_parts(sample, chance, said, which, few)
        case "labels":
            return draft_labels(sample, chance, said, few, asked.names)
        case "expression":
            return draft_expression(sample, chance, said, which)
        case "regions":
            return draft_regions(sample, chance, said, which, many)
        case "sentence":
            return draft_sentence(sample, chance, said, which, many)
        case "caption":
            return draft_caption(sample, chance, said, which)
        case "conversation":
            return draft_conversation(sample, chance, which)
    assert_never(asked.task)
