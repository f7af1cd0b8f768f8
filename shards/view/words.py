"""What is written below a photo."""

import re
from collections.abc import Iterator, Mapping, Sequence

from shards.sample import Region, Sample
from shards.view.colours import BLACK, GREY, Colour, is_drawn
from shards.view.letters import GAP, SMALL, Paragraph, Run, group_letters

_MOST_CAPTIONS, _MOST_REGIONS, _MOST_PHRASES, _MOST_TALKS, _MOST_TURNS = 5, 12, 5, 2, 4
_TALL = 14
"""Lines after which a caption is cut."""


def describe(sample: Sample) -> Iterator[Paragraph]:
    """Key, size and name of the photo; and that there is no more, where there is no more."""
    yield Paragraph((Run(sample.key, GREY),), size=SMALL)
    size = f"{sample.image.size}"
    if sample.original_size != sample.image.size:
        size += f" (original {sample.original_size})"
    size += f" \u00b7 {sample.file}" if sample.file else ""
    yield Paragraph((Run(size, GREY),), size=SMALL)
    if not (sample.captions or sample.regions or sample.conversations or sample.labels):
        yield Paragraph((Run("only the photo", GREY),), above=GAP)


def write_captions(sample: Sample, colours: Sequence[Colour]) -> Iterator[Paragraph]:
    """Captions, their grounded words in the colours of what they mean."""
    for number, caption in enumerate(sample.captions[:_MOST_CAPTIONS]):
        spans = [
            (span, colour)
            for region, colour in zip(sample.regions, colours, strict=True)
            for span in region.spans
            if span.caption == number
        ]
        letters = [BLACK] * len(caption)
        # A span inside another keeps its colour.
        for span, colour in sorted(spans, key=lambda entry: entry[0].start - entry[0].stop):
            letters[span.start : span.stop] = [colour] * (span.stop - span.start)
        yield Paragraph(group_letters(zip(caption, letters, strict=True)), lines=_TALL, above=GAP)
    yield from _count_rest(len(sample.captions) - _MOST_CAPTIONS, "caption")


def write_regions(regions: Sequence[Region], colours: Sequence[Colour]) -> Iterator[Paragraph]:
    """The phrases of each region, and what else is said of it."""
    shown = list(zip(regions, colours, strict=True))[:_MOST_REGIONS]
    for number, (region, colour) in enumerate(shown):
        words = "; ".join(region.phrases[:_MOST_PHRASES])
        runs = [Run(words, colour)] if words else []
        if len(region.phrases) > _MOST_PHRASES:
            runs.append(Run(f" + {len(region.phrases) - _MOST_PHRASES} more", GREY))
        kind = ", ".join(_describe_kind(region, regions, words))
        if kind:
            runs.append(Run(f" ({kind})" if words else kind, colour))
        mark = colour if is_drawn(region) else None
        above = 0 if number else GAP
        yield Paragraph(tuple(runs) or (Run("no words", GREY),), mark=mark, above=above)
    yield from _count_rest(len(regions) - _MOST_REGIONS, "")


def _describe_kind(region: Region, regions: Sequence[Region], words: str) -> Iterator[str]:
    """Category, whole and attributes, as far as the words do not say them already."""
    whole = regions[region.parent].category if region.parent is not None else ""
    if region.category and not _says(words, region.category):
        yield region.category
    if whole and not _says(words, whole):
        yield f"part of {whole}"
    yield from region.attributes


def _says(words: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", words) is not None


def write_classes(
    areas: Mapping[int, float], colours: Mapping[int, Colour], names: Mapping[int, str]
) -> Iterator[Paragraph]:
    """Names of the classes in the label map, with their share of the photo."""
    for rank, (name, share) in enumerate(list(areas.items())[:_MOST_REGIONS]):
        runs = (Run(names.get(name, f"class {name}"), colours[name]), Run(f" {share:.1%}", GREY))
        yield Paragraph(runs, mark=colours[name], above=0 if rank else GAP)
    yield from _count_rest(len(areas) - _MOST_REGIONS, "")


def write_talks(sample: Sample) -> Iterator[Paragraph]:
    """The first turns of the first conversations."""
    for turns in sample.conversations[:_MOST_TALKS]:
        for number, turn in enumerate(turns[:_MOST_TURNS]):
            runs = (Run(f"{turn.speaker}: ", GREY), Run(turn.text))
            yield Paragraph(runs, above=0 if number else GAP)
        yield from _count_rest(len(turns) - _MOST_TURNS, "turn")
    yield from _count_rest(len(sample.conversations) - _MOST_TALKS, "conversation")


def _count_rest(number: int, what: str) -> Iterator[Paragraph]:
    if number > 0:
        noun = f" {what}" if number == 1 else f" {what}s"
        yield Paragraph((Run(f"+ {number} more{noun if what else ''}", GREY),))
