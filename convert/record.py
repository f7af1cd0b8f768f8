"""What a source says about one image, in the source's own pixels and before any decoding."""

from dataclasses import dataclass, field

import msgspec

from shards.classes import ClassInfo
from shards.sample import Box, Ids, Rle, Size, Span, Turn

IGNORE = "ignore"
"""Attribute of a region that upstream marks so."""

Paths = tuple[str, ...]
"""Where a file may be, `/`-separated and relative to the data's root; the first that exists counts.
"""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One photo of one source.

    Attributes:
        id: unique within the source over all its splits, `[A-Za-z0-9_-]+`.
        split: train, val, ...
        data: whatever the source wrote for itself in `scan`; nobody else looks inside.
    """

    id: str
    split: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Polygons:
    """Filled rings, each `x0, y0, x1, y1, ...` in original pixels; the mask is their union."""

    rings: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Uncompressed run lengths, column-major, beginning with 0s: COCO's crowd masks."""

    size: Size
    lengths: tuple[int, ...]


RawMask = Polygons | RunLengths | Rle


@dataclass(frozen=True, slots=True)
class RawRegion:
    """One annotated thing; `masks` are parts whose union is the thing."""

    phrases: tuple[str, ...] = ()
    box: Box | None = None
    masks: tuple[RawMask, ...] = ()
    spans: tuple[Span, ...] = ()
    category: str = ""
    attributes: tuple[str, ...] = ()
    parent: int | None = None
    ids: Ids = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelTable:
    """What the pixel values of a source's label maps mean.

    Attributes:
        lookup: 256 bytes, upstream value -> stored id; 255 is ignore.
        known: 256 bytes, 1 where upstream may use the value. Any other value is an error: it is
            how one notices that a download is the wrong edition of a dataset.
        classes: stored ids and their names.
    """

    name: str
    lookup: bytes
    known: bytes
    classes: tuple[ClassInfo, ...]


@dataclass(frozen=True, slots=True)
class RawLabelMap:
    """A label image and the table of its values."""

    places: Paths
    table: LabelTable


@dataclass(frozen=True, slots=True)
class Record:
    """One image with everything its source says about it.

    Attributes:
        photo: where the original file may be.
        file: its name as the annotations give it.
        size: size the annotation claims, if it claims one; regions are in its pixels.
        notes: what was normalised while reading, a word or two each; counted in the report.
    """

    photo: Paths
    file: str
    size: Size | None = None
    ids: Ids = field(default_factory=dict)
    captions: tuple[str, ...] = ()
    regions: tuple[RawRegion, ...] = ()
    conversations: tuple[tuple[Turn, ...], ...] = ()
    labels: RawLabelMap | None = None
    notes: tuple[str, ...] = ()
