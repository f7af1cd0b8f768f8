"""The schema of a sample: one photo with its annotations.

All coordinates are pixels of the *stored* image, origin top-left, x right, y down. Boxes are
half-open: a pixel (x, y) is inside when x0 <= x < x1 and y0 <= y < y1.

The types are msgspec structs (frozen, compared by value): encoding to msgpack and decoding with
validation are one call each. `Size` and `Box` are encoded as arrays, the others as maps with named
fields. They cannot form cycles, so Python's garbage collector, which would cost as much as parsing
them, does not track them.
"""

import re
from collections.abc import Mapping

import msgspec

KEY_PATTERN = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
"""`<source>-<id>`. No dot: WebDataset cuts a member's name at the first one. No space: DALI's index
is separated by spaces. No leading `_`: Hugging Face datasets silently skips such files."""

MAX_KEY = 88
"""Bytes. With the longest extension, `.labels.png`, a name then fits ustar's 100-byte field."""

Ids = Mapping[str, int | str | tuple[int | str, ...]]
"""Ids that the source gives: field name -> id, or a tuple of ids in parallel to what they name."""


class Size(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Height and width in pixels.

    >>> str(Size(height=480, width=640))
    '640x480'
    """

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Box(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Half-open rectangle: x0 <= x < x1 and y0 <= y < y1.

    >>> box = Box(10, 20, 30, 60)
    >>> box.x1 - box.x0, box.y1 - box.y0
    (20, 40)
    """

    x0: float
    y0: float
    x1: float
    y1: float


class Rle(msgspec.Struct, frozen=True, gc=False):
    """One binary mask in COCO's compressed run-length encoding (column-major).

    `shards.decode_mask` decodes it; `pycocotools.mask` accepts the same counts.

    >>> Rle(Size(height=2, width=3), b"321").counts
    b'321'
    """

    size: Size
    counts: bytes


class Span(msgspec.Struct, frozen=True, gc=False):
    """Characters [start, stop) of `Sample.captions[caption]`; Unicode code points, not bytes.

    >>> captions, span = ("a red car",), Span(caption=0, start=2, stop=9)
    >>> captions[span.caption][span.start : span.stop]
    'red car'
    """

    caption: int
    start: int
    stop: int


class Region(msgspec.Struct, frozen=True, gc=False):
    """One object in the image, with all phrases, boxes and masks that the source gives for it.

    Attributes:
        phrases: expressions that refer to it.
        spans: where the captions mention it.
        attributes: words that describe it, such as `wooden`.
        parent: index of the region that this one is a part of.
        ids: of the region and of its phrases, in parallel to them.

    >>> region = Region(phrases=("the left cat",), box=Box(0, 0, 8, 8))
    >>> region.mask is None
    True
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
    """One utterance of a conversation.

    >>> Turn(speaker="human", text="What is on the table?").speaker
    'human'
    """

    speaker: str
    text: str


class EncodedImage(msgspec.Struct, frozen=True, gc=False):
    """A compressed image as stored; `extension` is the member's suffix without the dot.

    >>> EncodedImage(b"...", "jpg", Size(480, 640)).extension
    'jpg'
    """

    data: bytes
    extension: str
    size: Size


class LabelMap(msgspec.Struct, frozen=True, gc=False):
    """One class id per pixel: an 8-bit mode-L PNG of the stored image's size; 255 is ignore.

    Attributes:
        table: name of the label table; `classes.json` of the split has its rows.
        classes: the ids that occur, in ascending order, without 255.

    >>> LabelMap(b"...", table="ade20k", classes=(2, 7)).classes
    (2, 7)
    """

    png: bytes
    table: str
    classes: tuple[int, ...] = ()


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One photo with all annotations that one source has for it.

    Attributes:
        key: `<source>-<id>`, unique over the whole output.
        original_size: of the source's photo, upright, before it was scaled to `image.size`.
        file: name of the photo in the source's annotations.
        ids: of the photo and of its captions and conversations, in parallel to them.

    >>> photo = EncodedImage(b"...", "jpg", Size(480, 640))
    >>> sample = Sample("refcoco-000000581857", photo, Size(480, 640), captions=("a cat",))
    >>> sample.captions[0]
    'a cat'
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
