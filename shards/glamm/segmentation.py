"""Plans of text that is answered with masks.

Either a caption whose phrases are followed by masks (GLaMM's grounded conversation generation), or
questions for the mask of an expression, an object, a part or a class of a label map.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shards.errors import ExampleError
from shards.glamm.conversation import CLASS_NAME, SEG, Exchange, check_text
from shards.glamm.plan import (
    ExamplePlan,
    ExampleRequest,
    choose_item,
    choose_items,
    list_phrases,
)
from shards.glamm.prompts import Prompts
from shards.random import Rng
from shards.sample import Region, Rle, Sample


class GroundedSpan(NamedTuple):
    """Characters [start, stop) of a caption, and the name and mask of what they refer to."""

    start: int
    stop: int
    name: str
    mask: Rle


def plan_grounded(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """One caption with all of its masks.

    Raises:
        ExampleError: if no caption has a mask.
    """
    grounded = [find_spans(sample, number) for number in range(len(sample.captions))]
    problems = [None if spans else "none of its phrases has a mask" for spans in grounded]
    number = choose_item(problems, rng, request.item_index, f"{sample.key}: caption")
    spans = grounded[number]
    caption = check_text(sample.captions[number], sample.key)
    if request.lowercase:
        caption = lowercase(caption)
    question = rng.pick(request.prompts.grounded_questions).strip()
    return ExamplePlan(
        exchanges=(Exchange(request.prompts.opening + question, tag_caption(caption, spans)),),
        questions=(question,),
        names=tuple(span.name for span in spans),
        masks=tuple(span.mask for span in spans),
    )


def find_spans(sample: Sample, caption: int) -> list[GroundedSpan]:
    """The grounded spans of a caption, in order and without overlaps.

    A region contributes the first span that mentions it. Of spans that overlap, the one that starts
    first stays, or the longer one if they start together: tags cannot be nested.
    """
    candidates = []
    for region in sample.regions:
        here = [(n, span) for n, span in enumerate(region.spans) if span.caption == caption]
        if region.mask is None or not here:
            continue
        nth, span = here[0]
        one_phrase_each = len(region.phrases) == len(region.spans)
        name = region.phrases[nth if one_phrase_each else 0] if region.phrases else ""
        candidates.append(GroundedSpan(span.start, span.stop, name, region.mask))
    spans: list[GroundedSpan] = []
    for each in sorted(candidates, key=lambda each: (each.start, -each.stop)):
        if not spans or each.start >= spans[-1].stop:
            spans.append(each)
    return spans


def tag_caption(caption: str, spans: Sequence[GroundedSpan]) -> str:
    """The caption with `<p>` and `</p>` around every span, and `[SEG]` after it."""
    parts, end = [], 0
    for span in spans:
        parts += [caption[end : span.start], f"<p> {caption[span.start : span.stop]} </p> {SEG}"]
        end = span.stop
    return "".join((*parts, caption[end:]))


def lowercase(text: str) -> str:
    """The text in lower case, with its length unchanged: spans count its characters.

    >>> lowercase("A Dog in İzmir")
    'a dog in İzmir'
    """
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def plan_referring(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """Up to `max_classes` expressions, each with the mask of what it refers to.

    Raises:
        ExampleError: if no expression has a mask, or the requested one has none.
    """
    phrases = _choose_masked(sample, rng, request)
    names = [check_text(phrase.strip(), sample.key) for _, phrase in phrases]
    return _plan_masks(names, [region for region, _ in phrases], rng, request.prompts)


def plan_parts(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """Up to `max_classes` objects and parts with their masks.

    Raises:
        ExampleError: if none has a mask, or the requested one has none.
    """
    phrases = _choose_masked(sample, rng, request)
    names = [part_name(check_text(phrase, sample.key), rng) for _, phrase in phrases]
    return _plan_masks(names, [region for region, _ in phrases], rng, request.prompts)


def plan_labels(sample: Sample, rng: Rng, request: ExampleRequest) -> ExamplePlan:
    """Up to `max_classes` classes of a label map.

    Raises:
        ExampleError: if there is no label map, or it has none of the requested classes.
    """
    if sample.labels is None:
        raise ExampleError(f"{sample.key}: no label map")
    names = request.class_names
    present = [number for number in sample.labels.classes if number in names]
    chosen = tuple(rng.draw(present, request.settings.max_classes))
    if not chosen:
        raise ExampleError(f"{sample.key}: its label map has none of the classes to train on")
    chosen_names = tuple(names[number] for number in chosen)
    questions, exchanges = _ask_for_masks(chosen_names, rng, request.prompts)
    return ExamplePlan(exchanges, questions, chosen_names, labels=chosen)


def part_name(category: str, rng: Rng) -> str:
    """A category's name in words; a part gets one of two forms at random.

    >>> part_name("car_(automobile)", Rng(0)), part_name("mouse_(animal):tail", Rng(1))
    ('car', 'mouse tail')
    """
    words = [word.split("_(")[0] for word in category.strip().split(":")]
    if len(words) == 1:
        return words[0]
    thing, part = words[0], words[-1]
    return f"{thing} {part}" if rng.below(2) else f"the {part} of the {thing}"


def _choose_masked(sample: Sample, rng: Rng, request: ExampleRequest) -> list[tuple[Region, str]]:
    """The requested phrase, or some drawn ones, of those whose region has a mask."""
    phrases = list_phrases(sample)
    problems = [
        "no mask" if region.mask is None else None if phrase.strip() else "empty"
        for region, phrase in phrases
    ]
    limit, where = request.settings.max_classes, f"{sample.key}: phrase"
    chosen = choose_items(problems, rng, request.item_index, limit, where)
    return [phrases[number] for number in chosen]


def _plan_masks(
    names: Sequence[str], regions: Sequence[Region], rng: Rng, prompts: Prompts
) -> ExamplePlan:
    questions, exchanges = _ask_for_masks(names, rng, prompts)
    masks = tuple(region.mask for region in regions if region.mask is not None)
    return ExamplePlan(exchanges, questions, tuple(names), masks=masks)


def _ask_for_masks(
    names: Sequence[str], rng: Rng, prompts: Prompts
) -> tuple[tuple[str, ...], tuple[Exchange, ...]]:
    """(the questions alone, the exchanges): one for each name, the first after the opening."""
    questions = tuple(
        rng.pick(prompts.segment_questions).replace(CLASS_NAME, name.strip().lower())
        for name in names
    )
    openings = (prompts.opening, *[""] * (len(questions) - 1))
    exchanges = tuple(
        Exchange(opening + question, rng.pick(prompts.segment_answers))
        for opening, question in zip(openings, questions, strict=True)
    )
    return questions, exchanges
