"""The texts below a photo."""

import re
from collections.abc import Iterator, Mapping, Sequence

from shards.sample import Region, Sample
from shards.view.colours import BLACK, GREY, Colour, is_drawn
from shards.view.text_layout import GAP, SMALL, Paragraph, TextRun, group_letters

_MAX_CAPTIONS, _MAX_REGIONS, _MAX_PHRASES, _MAX_CONVERSATIONS, _MAX_TURNS = 5, 12, 5, 2, 4
_MAX_CAPTION_LINES = 14
"""Lines after which a caption is cut."""


def header_paragraphs(sample: Sample) -> Iterator[Paragraph]:
    """Key, size and file name of the photo, and a note if it has no annotations."""
    yield Paragraph((TextRun(sample.key, GREY),), size=SMALL)
    size = f"{sample.image.size}"
    if sample.original_size != sample.image.size:
        size += f" (original {sample.original_size})"
    size += f" \u00b7 {sample.file}" if sample.file else ""
    yield Paragraph((TextRun(size, GREY),), size=SMALL)
    if not (sample.captions or sample.regions or sample.conversations or sample.labels):
        yield Paragraph((TextRun("only the photo", GREY),), above=GAP)


def caption_paragraphs(sample: Sample, colours: Sequence[Colour]) -> Iterator[Paragraph]:
    """Captions, with grounded words in the colours of their regions."""
    for number, caption in enumerate(sample.captions[:_MAX_CAPTIONS]):
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
        yield Paragraph(
            group_letters(zip(caption, letters, strict=True)), lines=_MAX_CAPTION_LINES, above=GAP
        )
    yield from _count_rest(len(sample.captions) - _MAX_CAPTIONS, "caption")


def region_paragraphs(regions: Sequence[Region], colours: Sequence[Colour]) -> Iterator[Paragraph]:
    """The phrases of each region, its category and attributes."""
    shown = list(zip(regions, colours, strict=True))[:_MAX_REGIONS]
    for number, (region, colour) in enumerate(shown):
        phrases = "; ".join(region.phrases[:_MAX_PHRASES])
        runs = [TextRun(phrases, colour)] if phrases else []
        if len(region.phrases) > _MAX_PHRASES:
            runs.append(TextRun(f" + {len(region.phrases) - _MAX_PHRASES} more", GREY))
        kind = ", ".join(_describe_kind(region, regions, phrases))
        if kind:
            runs.append(TextRun(f" ({kind})" if phrases else kind, colour))
        mark = colour if is_drawn(region) else None
        above = 0 if number else GAP
        yield Paragraph(tuple(runs) or (TextRun("no words", GREY),), mark=mark, above=above)
    yield from _count_rest(len(regions) - _MAX_REGIONS, "")


def _describe_kind(region: Region, regions: Sequence[Region], phrases: str) -> Iterator[str]:
    """Category, the object it is a part of, and attributes, unless its phrases name them."""
    whole = regions[region.parent].category if region.parent is not None else ""
    if region.category and not _mentions(phrases, region.category):
        yield region.category
    if whole and not _mentions(phrases, whole):
        yield f"part of {whole}"
    yield from region.attributes


def _mentions(phrases: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", phrases) is not None


def class_paragraphs(
    areas: Mapping[int, float], colours: Mapping[int, Colour], names: Mapping[int, str]
) -> Iterator[Paragraph]:
    """Names of the classes in the label map, with their percentage of the photo."""
    for rank, (id_, fraction) in enumerate(list(areas.items())[:_MAX_REGIONS]):
        name = TextRun(names.get(id_, f"class {id_}"), colours[id_])
        runs = (name, TextRun(f" {fraction:.1%}", GREY))
        yield Paragraph(runs, mark=colours[id_], above=0 if rank else GAP)
    yield from _count_rest(len(areas) - _MAX_REGIONS, "")


def conversation_paragraphs(sample: Sample) -> Iterator[Paragraph]:
    """The first turns of the first conversations."""
    for turns in sample.conversations[:_MAX_CONVERSATIONS]:
        for number, turn in enumerate(turns[:_MAX_TURNS]):
            runs = (TextRun(f"{turn.speaker}: ", GREY), TextRun(turn.text))
            yield Paragraph(runs, above=0 if number else GAP)
        yield from _count_rest(len(turns) - _MAX_TURNS, "turn")
    yield from _count_rest(len(sample.conversations) - _MAX_CONVERSATIONS, "conversation")


def _count_rest(number: int, noun: str) -> Iterator[Paragraph]:
    if number > 0:
        name = f" {noun}" if number == 1 else f" {noun}s"
        yield Paragraph((TextRun(f"+ {number} more{name if noun else ''}", GREY),))
