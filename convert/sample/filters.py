"""What a config leaves out on purpose, each rule by its name. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

import msgspec

from convert.geometry import clip_box
from convert.record import IGNORE, RawRegion, Record
from shards.sample import Ids, Size, Span


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to leave out; nothing by default.

    Attributes:
        shortest_side: photos with a side of fewer pixels.
        caption_words: captions of fewer words, and the regions that only they speak of.
        box_side: regions whose box has a side of fewer of upstream's pixels, or lies outside.
        ignored: whether to leave out regions that upstream marks `ignore`.
    """

    shortest_side: Annotated[int, msgspec.Meta(ge=0)] = 0
    caption_words: Annotated[int, msgspec.Meta(ge=0)] = 0
    box_side: Annotated[float, msgspec.Meta(ge=0)] = 0
    ignored: bool = False


KEEP_ALL = Filters()


class FilteredOut(Exception):  # noqa: N818 - it is no error: the config asks for it
    """A filter wants nothing of a photo.

    Attributes:
        filter: its name.
    """

    def __init__(self, filter_: str, why: str) -> None:
        super().__init__(why)
        self.filter = filter_


def apply_filters(record: Record, size: Size, filters: Filters) -> tuple[Record, tuple[str, ...]]:
    """(what is left of a record, a note for each caption and region that is not).

    Args:
        record: in the pixels of a photo of `size`.
        size: of the upright photo.
        filters: what to leave out.

    Raises:
        LeftOut: if the photo is too small, or a filter took the last that was said of it.
    """
    if min(size.height, size.width) < filters.shortest_side:
        raise FilteredOut("shortest_side", f"a side of fewer than {filters.shortest_side} pixels")
    whole = record
    record, short = _leave_captions(record, filters.caption_words)
    record, unwanted = _leave_regions(record, size, filters)
    notes = [f"{what} left out by {name}" for what, name in (*short, *unwanted)]
    if notes and _says_nothing(record) and not _says_nothing(whole):
        _, name = (*short, *unwanted)[-1]
        raise FilteredOut(name, f"nothing is left: {', '.join(dict.fromkeys(notes))}")
    return record, tuple(notes)


def _says_nothing(record: Record) -> bool:
    return not (record.captions or record.regions or record.conversations or record.labels)


_Found = list[tuple[str, str]]


def _leave_captions(record: Record, words: int) -> tuple[Record, _Found]:
    """Without short captions: what is in parallel to captions, or points at one, moves along."""
    kept = [n for n, caption in enumerate(record.captions) if len(caption.split()) >= words]
    if len(kept) == len(record.captions):
        return record, []
    number = {old: new for new, old in enumerate(kept)}
    regions = [_point(region, number) for region in record.regions]
    gone = {n for n, region in enumerate(regions) if not region.spans and record.regions[n].spans}
    left = replace(
        record,
        captions=tuple(record.captions[n] for n in kept),
        ids=_parallel_ids(record.ids, len(record.captions), kept),
        regions=_without(tuple(regions), gone),
    )
    found = [("caption", "caption_words")] * (len(record.captions) - len(kept))
    return left, found + [("region", "caption_words")] * len(gone)


def _parallel_ids(ids: Ids, captions: int, kept: list[int]) -> Ids:
    """In a record with captions, every list of ids is in parallel to them."""
    return {
        name: tuple(value[n] for n in kept)
        if isinstance(value, tuple) and len(value) == captions
        else value
        for name, value in ids.items()
    }


def _point(region: RawRegion, number: Mapping[int, int]) -> RawRegion:
    spans = (span for span in region.spans if span.caption in number)
    return replace(region, spans=tuple(Span(number[s.caption], s.start, s.stop) for s in spans))


def _leave_regions(record: Record, size: Size, filters: Filters) -> tuple[Record, _Found]:
    found = {
        n: name
        for n, region in enumerate(record.regions)
        for name in _why_not(region, size, filters)
    }
    if not found:
        return record, []
    left = replace(record, regions=_without(record.regions, set(found)))
    return left, [("region", name) for name in found.values()]


def _why_not(region: RawRegion, size: Size, filters: Filters) -> Iterator[str]:
    if filters.ignored and IGNORE in region.attributes:
        yield "ignored"
    if filters.box_side and region.box is not None:
        box, inside = region.box, clip_box(region.box, size)
        # A box that ends before it begins, or is not a number, is no small box: it is wrong, and
        # is left for the transform to refuse.
        small = min(box.x1 - box.x0, box.y1 - box.y0)
        right = box.x0 <= box.x1 and box.y0 <= box.y1
        empty = inside.x0 >= inside.x1 or inside.y0 >= inside.y1
        if right and (empty or small < filters.box_side):
            yield "box_side"


def _without(regions: tuple[RawRegion, ...], gone: set[int]) -> tuple[RawRegion, ...]:
    """The others; a part whose object is gone stands for itself."""
    kept = [n for n in range(len(regions)) if n not in gone]
    number = {old: new for new, old in enumerate(kept)}
    return tuple(
        replace(regions[n], parent=None if (p := regions[n].parent) is None else number.get(p))
        for n in kept
    )
