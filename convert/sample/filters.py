"""What a config leaves out on purpose, each rule by its name. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

import msgspec

from convert.record import IGNORE, RawRegion, Record
from shards.sample import Ids, Size, Span


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to leave out; nothing by default.

    Attributes:
        shortest_side: photos with a side of fewer pixels.
        caption_words: captions of fewer words, and regions that only those captions mention.
        box_side: regions whose box has a side of fewer pixels of the original photo, or lies
            outside of it.
        ignored: whether to leave out regions that upstream marks `ignore`.
    """

    shortest_side: Annotated[int, msgspec.Meta(ge=0)] = 0
    caption_words: Annotated[int, msgspec.Meta(ge=0)] = 0
    box_side: Annotated[float, msgspec.Meta(ge=0)] = 0
    ignored: bool = False


KEEP_ALL = Filters()


class FilteredOut(Exception):  # noqa: N818 - it is no error: the config asks for it
    """A filter leaves out a whole photo.

    Attributes:
        filter: its name.
    """

    def __init__(self, filter_: str, reason: str) -> None:
        super().__init__(reason)
        self.filter = filter_


def apply_filters(record: Record, size: Size, filters: Filters) -> tuple[Record, tuple[str, ...]]:
    """(the record without what is filtered, a note for each caption and region left out).

    Args:
        record: in the pixels of a photo of `size`.
        size: of the upright photo.
        filters: what to leave out.

    Raises:
        FilteredOut: if the photo is too small, or the filters leave out all its annotations.
    """
    if min(size.height, size.width) < filters.shortest_side:
        raise FilteredOut("shortest_side", f"a side of fewer than {filters.shortest_side} pixels")
    whole = record
    record, without_caption = _filter_captions(record, filters.caption_words)
    record, by_region = _filter_regions(record, size, filters)
    dropped = (*without_caption, *by_region)
    notes = [f"{what} left out by {name}" for what, name in dropped]
    if notes and _is_empty(record) and not _is_empty(whole):
        _, name = dropped[-1]
        raise FilteredOut(name, f"nothing is left: {', '.join(dict.fromkeys(notes))}")
    return record, tuple(notes)


def _is_empty(record: Record) -> bool:
    return not (record.captions or record.regions or record.conversations or record.labels)


_Dropped = list[tuple[str, str]]
"""(caption or region, name of the filter) of each that is left out."""


def _filter_captions(record: Record, words: int) -> tuple[Record, _Dropped]:
    """Drop captions of fewer words, the ids and spans that go with them, and their regions."""
    kept = [n for n, caption in enumerate(record.captions) if len(caption.split()) >= words]
    if len(kept) == len(record.captions):
        return record, []
    new_numbers = {old: new for new, old in enumerate(kept)}
    regions = tuple(_renumber_spans(region, new_numbers) for region in record.regions)
    dropped = {n for n, old in enumerate(record.regions) if old.spans and not regions[n].spans}
    filtered = replace(
        record,
        captions=tuple(record.captions[n] for n in kept),
        ids=_filter_ids(record.ids, len(record.captions), kept),
        regions=_drop_regions(regions, dropped),
    )
    captions = [("caption", "caption_words")] * (len(record.captions) - len(kept))
    return filtered, captions + [("region", "caption_words")] * len(dropped)


def _filter_ids(ids: Ids, captions: int, kept: list[int]) -> Ids:
    """Keep the ids of the kept captions; in a record with captions, every list of ids is theirs."""
    return {
        name: tuple(value[n] for n in kept)
        if isinstance(value, tuple) and len(value) == captions
        else value
        for name, value in ids.items()
    }


def _renumber_spans(region: RawRegion, new_numbers: Mapping[int, int]) -> RawRegion:
    return replace(
        region,
        spans=tuple(
            Span(new_numbers[span.caption], span.start, span.stop)
            for span in region.spans
            if span.caption in new_numbers
        ),
    )


def _filter_regions(record: Record, size: Size, filters: Filters) -> tuple[Record, _Dropped]:
    dropped = {
        n: name
        for n, region in enumerate(record.regions)
        for name in _filters_that_drop(region, size, filters)
    }
    if not dropped:
        return record, []
    filtered = replace(record, regions=_drop_regions(record.regions, set(dropped)))
    return filtered, [("region", name) for name in dropped.values()]


def _filters_that_drop(region: RawRegion, size: Size, filters: Filters) -> Iterator[str]:
    if filters.ignored and IGNORE in region.attributes:
        yield "ignored"
    if filters.box_side and region.box is not None:
        box = region.box
        # A box that ends before it begins, or is not a number, is wrong and not small: the
        # transform refuses it.
        valid = box.x0 <= box.x1 and box.y0 <= box.y1
        outside = box.x0 >= size.width or box.x1 <= 0 or box.y0 >= size.height or box.y1 <= 0
        small = min(box.x1 - box.x0, box.y1 - box.y0) < filters.box_side
        if valid and (outside or small):
            yield "box_side"


def _drop_regions(regions: tuple[RawRegion, ...], dropped: set[int]) -> tuple[RawRegion, ...]:
    """The other regions; a part whose object is dropped has no parent any more."""
    kept = [n for n in range(len(regions)) if n not in dropped]
    new_numbers = {old: new for new, old in enumerate(kept)}
    return tuple(
        replace(region, parent=None if region.parent is None else new_numbers.get(region.parent))
        for region in (regions[n] for n in kept)
    )
