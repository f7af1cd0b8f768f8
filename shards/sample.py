"""The schema of one training example.

All coordinates are pixels of the *stored* image, origin top-left, x right, y down. Boxes are
half-open: a pixel (x, y) is inside when x0 <= x < x1 and y0 <= y < y1.

The types are msgspec structs (frozen, compared by value): msgpack in and out, with validation, is
then one call. `Size` and `Box` travel as arrays, the others as maps with named fields. None can be
part of a cycle: Python's collector, which would cost as much as parsing them, leaves them alone.
"""

import re
from collections.abc import Mapping

import msgspec

from shards.errors import SampleError

KEY_PATTERN = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
"""`<source>-<id>`. No dot, since WebDataset cuts a member's name at its first one; no space, since
DALI's index is separated by them; no leading `_`, since Hugging Face drops such files unsaid."""

MAX_KEY = 88
"""Bytes. With the longest extension, `.labels.png`, a name then fits ustar's 100-byte field."""

Ids = Mapping[str, int | str | tuple[int | str, ...]]
"""Upstream's own names of a thing: field name -> id, or ids in parallel to what they name."""


class Size(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Box(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Half-open rectangle."""

    x0: float
    y0: float
    x1: float
    y1: float


class Rle(msgspec.Struct, frozen=True, gc=False):
    """One binary mask in COCO's compressed run-length encoding (column-major)."""

    size: Size
    counts: bytes


class Span(msgspec.Struct, frozen=True, gc=False):
    """Characters [start, stop) of `Sample.captions[caption]`; Unicode code points, not bytes."""

    caption: int
    start: int
    stop: int


class Region(msgspec.Struct, frozen=True, gc=False):
    """One thing in the image and every way the source refers to it.

    Attributes:
        attributes: what the source says it is like, in words.
        parent: number of the region that this is a part of.
    """

    phrases: tuple[str, ...] = ()
    box: Box | None = None
    mask: Rle | None = None
    spans: tuple[Span, ...] = ()
    category: str = ""
    attributes: tuple[str, ...] = ()
    parent: int | None = None
    ids: Ids = {}


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One utterance of a conversation."""

    speaker: str
    text: str


class EncodedImage(msgspec.Struct, frozen=True, gc=False):
    """A compressed image as stored; `extension` is the member's suffix without the dot."""

    data: bytes
    extension: str
    size: Size


class LabelMap(msgspec.Struct, frozen=True, gc=False):
    """One class id per pixel: an 8-bit mode-L PNG of the stored image's size; 255 is ignore.

    Attributes:
        classes: the ids that occur, in ascending order, without 255.
    """

    png: bytes
    table: str
    classes: tuple[int, ...] = ()


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One image with everything one source says about it.

    Attributes:
        key: `<source>-<id>`, unique over everything that was converted.
        original_size: of the upstream photo, upright, before it was scaled to `image.size`.
        file: name of the photo as upstream's annotations give it.
        ids: of the photo and of its captions and conversations, in parallel to them.
    """

    key: str
    image: EncodedImage
    original_size: Size
    file: str = ""
    ids: Ids = {}
    captions: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    conversations: tuple[tuple[Turn, ...], ...] = ()
    labels: LabelMap | None = None


def check(sample: Sample) -> Sample:
    """Return the sample unchanged.

    Raises:
        SampleError: naming the sample and the first rule of docs/format.md it breaks.
    """
    if not KEY_PATTERN.fullmatch(sample.key) or len(sample.key) > MAX_KEY:
        raise SampleError(
            f"{sample.key!r}: a key matches {KEY_PATTERN.pattern!r} and has at most {MAX_KEY} bytes"
        )
    for number, region in enumerate(sample.regions):
        where = f"{sample.key}: region {number}"
        if region.mask is not None and region.mask.size != sample.image.size:
            raise SampleError(f"{where}: mask is {region.mask.size}, image {sample.image.size}")
        if region.box is not None and not _inside(region.box, sample.image.size):
            raise SampleError(f"{where}: {region.box} leaves the image of {sample.image.size}")
        if region.parent is not None and not 0 <= region.parent < len(sample.regions):
            raise SampleError(f"{where}: its parent {region.parent} is not a region")
        for span in region.spans:
            _check_span(span, sample.captions, where)
    return sample


def _inside(box: Box, size: Size) -> bool:
    return 0 <= box.x0 <= box.x1 <= size.width and 0 <= box.y0 <= box.y1 <= size.height


def _check_span(span: Span, captions: tuple[str, ...], where: str) -> None:
    if not 0 <= span.caption < len(captions):
        raise SampleError(f"{where}: {span} names one of {len(captions)} captions")
    length = len(captions[span.caption])
    if not 0 <= span.start < span.stop <= length:
        raise SampleError(f"{where}: {span} leaves its caption of {length} characters")
