"""Items and records: what a source holds about one image, in pixels of the original photo."""

from dataclasses import dataclass, field

import msgspec

from shards.classes import ClassInfo
from shards.sample import Box, Ids, Rle, Size, Span, Turn

IGNORE = "ignore"
"""Attribute of a region that upstream marks to be ignored."""

Paths = tuple[str, ...]
"""Paths at which a file may be, relative to the data's root; the first that exists is read."""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One photo of one source.

    Attributes:
        id: unique within the source over all its splits, `[A-Za-z0-9_-]+`.
        split: train, val, ...
        data: what `scan` encoded for `open` of the same source; opaque to all other code.
    """

    id: str
    split: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Polygons:
    """Filled rings, each `x0, y0, x1, y1, ...` in original pixels. The mask is their union."""

    rings: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Uncompressed run lengths, column-major, beginning with zeros: COCO's crowd masks."""

    size: Size
    lengths: tuple[int, ...]


RawMask = Polygons | RunLengths | Rle


@dataclass(frozen=True, slots=True)
class RawRegion:
    """One annotated object. Its mask is the union of `masks`."""

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
    """The meaning of the pixel values of a source's label maps.

    Attributes:
        lookup: 256 bytes, upstream value -> stored id; 255 is ignore.
        known: 256 bytes, 1 where upstream uses the value. Any other value is an error, because it
            means that the download is another edition of the dataset.
        classes: stored ids and their names.
    """

    name: str
    lookup: bytes
    known: bytes
    classes: tuple[ClassInfo, ...]


@dataclass(frozen=True, slots=True)
class RawLabelMap:
    """The paths of a label map, and the table of its values."""

    paths: Paths
    table: LabelTable


@dataclass(frozen=True, slots=True)
class Record:
    """One image with all its annotations.

    Attributes:
        photo: paths at which the original file may be.
        file: its name in the annotations.
        size: of the photo according to the annotations, if they give one; regions are in its
            pixels.
        notes: what was normalised while reading, a few words each; the report counts them.
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
