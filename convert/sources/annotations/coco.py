"""COCO's annotation files (cocodataset.org/#format-data): images, captions, instances, masks."""

import operator
import re
import reprlib
from typing import Any

import msgspec

from convert.errors import MaskDecodeError
from convert.record import Paths, Polygons, RawMask, RunLengths
from convert.sources.files import join_paths
from shards.sample import Rle, Size

Number = int | float


class CocoImage(msgspec.Struct, frozen=True):
    """A row of `images`."""

    id: int
    file_name: str
    height: int
    width: int

    @property
    def size(self) -> Size:
        """The annotated size."""
        return Size(self.height, self.width)


class CocoCategory(msgspec.Struct, frozen=True):
    """A row of `categories`."""

    id: int
    name: str


class CocoCaption(msgspec.Struct, frozen=True):
    """A row of `annotations` in a captions file."""

    id: int
    image_id: int
    caption: str


class CocoInstance(msgspec.Struct, frozen=True):
    """A row of `annotations` in an instances file. Its mask is kept as JSON until it is needed."""

    id: int | str
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    segmentation: msgspec.Raw


class CaptionsFile(msgspec.Struct, frozen=True):
    """`captions_*.json`."""

    images: list[CocoImage]
    annotations: list[CocoCaption]


class InstancesFile(msgspec.Struct, frozen=True):
    """`instances*.json`."""

    images: list[CocoImage]
    annotations: list[CocoInstance]
    categories: list[CocoCategory]


_MIN_COORDINATES = 6
_MALFORMED = (
    msgspec.DecodeError, TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError,
)  # fmt: skip
"""Errors of parsing JSON as a mask, if it is not a mask."""


def parse_segmentation(raw: bytes) -> tuple[tuple[RawMask, ...], tuple[str, ...]]:
    """(parts whose union is the mask, what was normalised).

    Knows every form that occurs: polygons, one RLE of either kind, a list of RLEs, and an empty
    list, which has no parts. Rings of fewer than three points enclose nothing and are dropped.

    Raises:
        MaskDecodeError: if it has none of these forms.
    """
    try:
        value: Any = msgspec.json.decode(raw)
        if isinstance(value, dict):
            return (parse_rle(value),), ()
        if not value:
            return (), ("mask empty upstream",)
        if isinstance(value[0], dict):
            return tuple(parse_rle(part) for part in value), ()
        rings = tuple(tuple(map(float, ring)) for ring in value)
    except _MALFORMED as error:
        raise MaskDecodeError(f"segmentation of no known form: {raw[:60]!r}") from error
    closed = tuple(r for r in rings if len(r) % 2 or len(r) >= _MIN_COORDINATES)
    notes = ("ring without area left out",) * (len(rings) - len(closed))
    return ((Polygons(closed),) if closed else ()), notes


def parse_rle(value: dict[str, Any]) -> RawMask:
    """`{"size": [height, width], "counts": str | list}` as a mask; its counts are not checked.

    Raises:
        MaskDecodeError: if it does not have that form.
    """
    try:
        height, width = value["size"]
        size, counts = Size(int(height), int(width)), value["counts"]
        if isinstance(counts, str):
            return Rle(size, counts.encode("ascii"))
        return RunLengths(size, tuple(map(operator.index, counts)))
    except _MALFORMED as error:
        raise MaskDecodeError(f"run-length mask of no known form: {reprlib.repr(value)}") from error


_COCO_2014 = re.compile(r"COCO_(?:train|val)2014_(\d{12}\.\w+)")
_COCO_2017 = re.compile(r"\d{12}\.\w+")
_FOLDERS_2014, _FOLDERS_2017 = ("train2014", "val2014"), ("train2017", "val2017")


def photo_paths(folders: Paths, file_name: str) -> Paths:
    """Paths at which a COCO photo may be.

    The 2014 and 2017 editions hold the same photos under two names, `COCO_train2014_X.jpg` and
    `X.jpg`; every photo of train2014 is in train2017. Some annotations put the folder before the
    name, as in `val2017/X.jpg`: then the photo is in that folder.

    >>> photo_paths(("a/train2014", "b/train2017"), "COCO_train2014_000000000009.jpg")
    ('a/train2014/COCO_train2014_000000000009.jpg', 'b/train2017/000000000009.jpg')
    >>> photo_paths(("b/train2017", "a/train2014"), "000000000009.jpg")
    ('b/train2017/000000000009.jpg', 'a/train2014/COCO_train2014_000000000009.jpg')
    >>> photo_paths(("b/train2017", "b/val2017"), "val2017/000000000139.jpg")
    ('b/val2017/000000000139.jpg',)
    """
    prefix, _, base = file_name.rpartition("/")
    if prefix in _FOLDERS_2017:
        same = tuple(folder for folder in folders if folder.endswith(f"/{prefix}"))
        return join_paths(same, base) or join_paths(folders, file_name)
    return tuple(f"{folder}/{_name_in(folder, file_name)}" for folder in folders)


def _name_in(folder: str, file_name: str) -> str:
    """The name of a photo in a folder of either edition."""
    edition = folder.rpartition("/")[2]
    old = _COCO_2014.fullmatch(file_name)
    if old and edition in _FOLDERS_2017:
        return old[1]
    if edition in _FOLDERS_2014 and _COCO_2017.fullmatch(file_name):
        return f"COCO_{edition}_{file_name}"
    return file_name
