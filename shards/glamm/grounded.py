"""Captions whose phrases are answered with masks: GLaMM's grounded conversation generation."""

from typing import NamedTuple

from shards.glamm.chance import Rng
from shards.glamm.choose import choose_one
from shards.glamm.conversation import Exchange, plain
from shards.glamm.draft import ExamplePlan
from shards.glamm.prompts import Prompts
from shards.sample import Rle, Sample


class Tag(NamedTuple):
    """A stretch of a caption, [start, stop) in characters, with the mask of what it means."""

    start: int
    stop: int
    name: str
    mask: Rle


def draft_grounded(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None, *, lowered: bool
) -> ExamplePlan:
    """One caption with all of its masks.

    Args:
        sample: with captions, and regions whose spans stand in them.
        chance: picks the caption and the question.
        prompts: to pick from.
        which: number of the caption; None lets chance pick among those that have a mask.
        lowered: whether the caption's letters are lowered.

    Raises:
        ExampleError: if there is no caption with a mask.
    """
    tags = [find_tags(sample, number) for number in range(len(sample.captions))]
    usable = {
        n: None if found else "none of its phrases has a mask" for n, found in enumerate(tags)
    }
    number = choose_one(usable, chance, which, f"{sample.key}: caption")
    caption = plain(sample.captions[number], sample.key)
    if lowered:
        caption = lower(caption)
    question = chance.pick(prompts.grounded_questions).strip()
    return ExamplePlan(
        turns=(Exchange(prompts.opening + question, tag_caption(caption, tags[number])),),
        questions=(question,),
        names=tuple(tag.name for tag in tags[number]),
        masks=tuple(tag.mask for tag in tags[number]),
    )


def find_tags(sample: Sample, caption: int) -> list[Tag]:
    """The tags of a caption, in its order, none of which overlaps another.

    A region is tagged where it is first spoken of. Of tags that overlap, the one that begins first
    stays, or the longer of two that begin together: the text has room for one of them.
    """
    found = []
    for region in sample.regions:
        here = [(n, span) for n, span in enumerate(region.spans) if span.caption == caption]
        if region.mask is None or not here:
            continue
        nth, span = here[0]
        named = len(region.phrases) == len(region.spans)
        name = region.phrases[nth if named else 0] if region.phrases else ""
        found.append(Tag(span.start, span.stop, name, region.mask))
    kept: list[Tag] = []
    for tag in sorted(found, key=lambda tag: (tag.start, -tag.stop)):
        if not kept or tag.start >= kept[-1].stop:
            kept.append(tag)
    return kept


def tag_caption(caption: str, tags: list[Tag]) -> str:
    """The caption with marks around every tag, and one for its mask after it."""
    parts, place = [], 0
    for tag in tags:
        parts += [caption[place : tag.start], f"<p> {caption[tag.start : tag.stop]} </p> [SEG]"]
        place = tag.stop
    return "".join((*parts, caption[place:]))


def lower(text: str) -> str:
    """The text in small letters, as long as it was: spans count its characters.

    >>> lower("A Dog in İzmir")
    'a dog in İzmir'
    """
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
