"""Words for boxes: what is in one region, or in each of several."""

from collections.abc import Iterable, Sequence

from shards.glamm.chance import Rng
from shards.glamm.choose import choose_one, choose_some, phrases_of
from shards.glamm.conversation import BOX, REGION, Exchange, plain
from shards.glamm.draft import ExamplePlan
from shards.glamm.prompts import Prompts
from shards.sample import Box, Region, Sample

_LEFT_OUT = frozenset(("ignore", "crowd"))
"""Attributes of boxes that stand for no single thing."""


def draft_expression(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None
) -> ExamplePlan:
    """One box, to be told from all others of its photo.

    Raises:
        ExampleError: if no phrase has a box.
    """
    asked = prompts.expression_opening, prompts.expression_questions
    return _describe(sample, chance, asked, which, 1)


def draft_regions(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None, most: int
) -> ExamplePlan:
    """Up to `most` boxes, a question about each, and its phrase for an answer.

    Raises:
        ExampleError: if no phrase has a box.
    """
    return _describe(sample, chance, (prompts.opening, prompts.region_questions), which, most)


def _describe(
    sample: Sample,
    chance: Rng,
    asked: tuple[str, Sequence[str]],
    which: int | None,
    most: int,
) -> ExamplePlan:
    """As `draft_regions`.

    Args:
        sample: with regions that have boxes and phrases.
        chance: picks regions and questions.
        asked: what stands before the first question, and questions to pick from.
        which: number of the one phrase that is asked for; None lets chance draw.
        most: regions.

    Raises:
        ExampleError: if no phrase has a box.
    """
    phrases = phrases_of(sample)
    usable = [_complaint(region, phrase) for region, phrase in phrases]
    chosen = choose_some(usable, chance, which, most, f"{sample.key}: phrase")
    names = tuple(plain(phrases[number][1].strip(), sample.key) for number in chosen)
    opening, questions = asked
    put = tuple(_name(chance.pick(questions).strip(), n) for n in range(len(names)))
    return ExamplePlan(
        turns=tuple(map(Exchange, (opening + put[0], *put[1:]), names)),
        questions=put,
        names=names,
        boxes=_boxes(phrases[number][0] for number in chosen),
    )


def draft_sentence(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None, most: int
) -> ExamplePlan:
    """A sentence about all of its boxes together, then a phrase about each.

    Every box is spoken of twice, and so stands twice in the draft: all of them, and all again.

    Raises:
        ExampleError: if no sentence has a box.
    """
    said = [_spoken_of(sample, number) for number in range(len(sample.captions))]
    usable = {n: None if found else "none of its phrases has a box" for n, found in enumerate(said)}
    number = choose_one(usable, chance, which, f"{sample.key}: caption")
    chosen = chance.draw(said[number], most)
    names = tuple(plain(phrase, sample.key) for _, phrase in chosen)
    every = "".join(f"region{n + 1} {BOX}," for n in range(len(names)))
    together = chance.pick(prompts.group_questions).strip().replace(REGION, every)
    each = [_name(chance.pick(prompts.region_questions).strip(), n) for n in range(len(names))]
    caption = plain(sample.captions[number], sample.key)
    return ExamplePlan(
        turns=(Exchange(prompts.opening + together, caption), *map(Exchange, each, names)),
        questions=(together,),
        names=names,
        boxes=_boxes(region for region, _ in (*chosen, *chosen)),
    )


def _name(question: str, number: int) -> str:
    return question.replace(REGION, f"region{number + 1} {BOX}")


def _spoken_of(sample: Sample, caption: int) -> list[tuple[Region, str]]:
    """The regions of a caption that have a box, each with the first phrase that means it there."""
    found = []
    for region in sample.regions:
        spans = [span for span in region.spans if span.caption == caption]
        if spans and region.box is not None and _LEFT_OUT.isdisjoint(region.attributes):
            text = sample.captions[caption][spans[0].start : spans[0].stop]
            found.append((region, text))
    return found


def _complaint(region: Region, phrase: str) -> str | None:
    if region.box is None:
        return "no box"
    if "ignore" in region.attributes:
        return "upstream says to ignore it"
    return None if phrase.strip() else "empty"


def _boxes(regions: Iterable[Region]) -> tuple[Box, ...]:
    return tuple(region.box for region in regions if region.box is not None)
