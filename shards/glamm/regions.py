"""Plans of text about boxes: a phrase for each region, or a sentence about several."""

from collections.abc import Iterable, Sequence

from shards.glamm.conversation import BOX, REGION, Exchange, check_text
from shards.glamm.plan import (
    ExamplePlan,
    ExampleRequest,
    choose_item,
    choose_items,
    list_phrases,
)
from shards.random import Rng
from shards.sample import Box, Region, Sample

_NO_OBJECT = frozenset(("ignore", "crowd"))
"""Attributes of regions that are not a single object."""


def plan_expression(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """One box, with an expression that identifies it among all objects of the photo.

    Raises:
        ExampleError: if no phrase has a box.
    """
    prompts = request.prompts
    return _describe(
        sample, rng, request, (prompts.expression_opening, prompts.expression_questions, 1)
    )


def plan_regions(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """Up to `max_regions` boxes, with a question about each; its phrase is the answer.

    Raises:
        ExampleError: if no phrase has a box.
    """
    prompts, limit = request.prompts, request.settings.max_regions
    return _describe(sample, rng, request, (prompts.opening, prompts.region_questions, limit))


def _describe(
    sample: Sample, rng: Rng, request: ExampleRequest, style: tuple[str, Sequence[str], int]
) -> ExamplePlan:
    """A question for each of some boxes.

    Args:
        sample: with regions that have boxes and phrases.
        rng: draws regions and questions.
        request: may name one phrase.
        style: the opening before the first question, the questions to draw from, and how many
            regions to draw at most.

    Raises:
        ExampleError: if no phrase has a box.
    """
    opening, templates, limit = style
    phrases = list_phrases(sample)
    problems = [_problem(region, phrase) for region, phrase in phrases]
    where = f"{sample.key}: phrase"
    chosen = choose_items(problems, rng, request.item_index, limit, where)
    names = tuple(check_text(phrases[number][1].strip(), sample.key) for number in chosen)
    questions = tuple(_ask_about(rng.pick(templates), n) for n in range(len(names)))
    return ExamplePlan(
        exchanges=tuple(map(Exchange, (opening + questions[0], *questions[1:]), names)),
        questions=questions,
        names=names,
        boxes=_boxes(phrases[number][0] for number in chosen),
    )


def plan_sentence(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """A sentence about all of its boxes together, then a phrase about each.

    The questions refer to every box twice, so the plan lists all boxes twice.

    Raises:
        ExampleError: if no sentence has a box.
    """
    prompts = request.prompts
    mentioned = [_mentioned_in(sample, number) for number in range(len(sample.captions))]
    problems = [None if regions else "none of its phrases has a box" for regions in mentioned]
    number = choose_item(problems, rng, request.item_index, f"{sample.key}: caption")
    chosen = rng.draw(mentioned[number], request.settings.max_regions)
    names = tuple(check_text(phrase, sample.key) for _, phrase in chosen)
    every = "".join(f"region{n + 1} {BOX}," for n in range(len(names)))
    group = rng.pick(prompts.group_questions).strip().replace(REGION, every)
    each = [_ask_about(rng.pick(prompts.region_questions), n) for n in range(len(names))]
    caption = check_text(sample.captions[number], sample.key)
    return ExamplePlan(
        exchanges=(Exchange(prompts.opening + group, caption), *map(Exchange, each, names)),
        questions=(group,),
        names=names,
        boxes=_boxes(region for region, _ in (*chosen, *chosen)),
    )


def _ask_about(template: str, number: int) -> str:
    return template.strip().replace(REGION, f"region{number + 1} {BOX}")


def _mentioned_in(sample: Sample, caption: int) -> list[tuple[Region, str]]:
    """The regions of a caption that have a box, each with the first phrase that refers to it."""
    mentioned = []
    for region in sample.regions:
        spans = [span for span in region.spans if span.caption == caption]
        if spans and region.box is not None and _NO_OBJECT.isdisjoint(region.attributes):
            phrase = sample.captions[caption][spans[0].start : spans[0].stop]
            mentioned.append((region, phrase))
    return mentioned


def _problem(region: Region, phrase: str) -> str | None:
    """Why a phrase cannot be used; None if it can."""
    if region.box is None:
        return "no box"
    if "ignore" in region.attributes:
        return "upstream marks its region as ignored"
    return None if phrase.strip() else "empty"


def _boxes(regions: Iterable[Region]) -> tuple[Box, ...]:
    return tuple(region.box for region in regions if region.box is not None)
