"""What a photo and its label map are, by their first bytes and never by their names. Pure.

`read_headers` reads both in one call and decodes nothing. A JPEG's markers are parsed once, to the
end of the file (ITU-T T.81, annex B): every later step works from this header.
"""

import io
import re
import struct
import warnings
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from convert.errors import ImageBudgetError, ImageDecodeError, LabelMapError, RecordError
from convert.image.policy import ImagePolicy
from shards.sample import Size

try:
    from convert.image import _jpeg_scan
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True

# The policy's budget is checked on the header instead.
Image.MAX_IMAGE_PIXELS = None

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
OTHER_FORMATS = ("PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What a photo may be beside a JPEG, by Pillow's names."""
PIL_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on damaged files, by reading them and by fuzzing."""
_SOF = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_SOF = frozenset((0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_NEEDED = frozenset((0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, SOS, EOI))
"""Frame header, Huffman and quantisation tables, restart interval, scan: what decoding needs."""
_TEM, _FF, _RST0, _RST7 = 0x01, 0xFF, 0xD0, 0xD7
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Inside a scan 0xFF is followed by 0x00 (a data byte) or a restart marker."""
_SAMPLING: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
    ((1, 2), (1, 1), (1, 1)): "4:4:0",
    ((4, 1), (1, 1), (1, 1)): "4:1:1",
}
_RGB_IDS = (ord("R"), ord("G"), ord("B"))
_GRAY, _COLOUR, _FOUR = 1, 3, 4
_ORIENTATION = 0x0112
"""EXIF's tag."""
_ORIENTATIONS = range(1, 9)
_SWAPS_SIDES = 5
"""EXIF orientations from this one on rotate the picture by 90 degrees."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the markers of a JPEG say.

    Attributes:
        coding: baseline, extended or progressive.
        colour: gray, YCbCr, RGB, CMYK or YCCK.
        sampling: "4:2:0" and so on; "" where chroma has no such name.
        orientation: EXIF's, 1 to 8; 1 where there is none or it cannot be read.
        profile: whether the file has a colour profile.
        damage: what is wrong with the structure behind the start of the first scan; "" if nothing.
        picture: byte offsets in the file, start and stop in turn, of all that decoding needs.
            Metadata is left out. Without meaning if the structure is damaged.
    """

    size: Size
    coding: str
    precision: int
    colour: str
    sampling: str
    orientation: int = 1
    profile: bool = False
    damage: str = ""
    # An array: a hostile file of 64 MB can have 8 million parts.
    picture: "array[int]" = field(default_factory=lambda: array("q"), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """What a photo is.

    Attributes:
        size: as stored in the file, before `orientation` is applied.
        upright: the size after `orientation` is applied.
        orientation: EXIF's, 1 to 8.
        jpeg: the structure of a JPEG; None for other formats.
        opened: the image as Pillow opened it, for decoding; None for a JPEG, and where Pillow
            cannot read the metadata.
    """

    format: str
    size: Size
    upright: Size
    orientation: int
    jpeg: JpegHeader | None = None
    opened: Image.Image | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LabelMapHeader:
    """What a label map is.

    Attributes:
        opened: the image as Pillow opened it, for decoding.
    """

    size: Size
    opened: Image.Image = field(compare=False, repr=False)


def read_headers(
    photo: bytes, labels: bytes | None, policy: ImagePolicy
) -> tuple[PhotoHeader, LabelMapHeader | RecordError | None]:
    """(the photo's header, that of its label map or the error in it; None without a label map).

    An error in the label map is returned, not raised: an error in the photo or its regions is to
    be reported first.

    Raises:
        ImageDecodeError: if the photo is no image, or its header is cut short.
        ImageBudgetError: if the photo has too many pixels.
    """
    header = read_photo_header(photo, policy)
    if labels is None:
        return header, None
    try:
        return header, read_label_map_header(labels, policy)
    except RecordError as error:
        return header, error


def read_photo_header(photo: bytes, policy: ImagePolicy) -> PhotoHeader:
    """Read format, size and orientation.

    Raises:
        ImageDecodeError: if it is no image, or its header is cut short.
        ImageBudgetError: if it has too many pixels.
    """
    if photo.startswith(b"\xff\xd8"):
        jpeg = read_jpeg_header(photo)
        size, orientation = jpeg.size, jpeg.orientation
        _check_budget(size, policy)
        return PhotoHeader("JPEG", size, _upright(size, orientation), orientation, jpeg)
    image = _open(photo)
    size = Size(image.height, image.width)
    _check_budget(size, policy)  # first: Pillow decodes a PNG to find its EXIF block
    orientation, opened = _read_orientation(image)
    upright = _upright(size, orientation)
    return PhotoHeader(str(image.format), size, upright, orientation, None, opened)


def _check_budget(size: Size, policy: ImagePolicy) -> None:
    if size.height * size.width > policy.max_pixels:
        raise ImageBudgetError(f"{size} pixels, the limit is {policy.max_pixels}")


def _upright(size: Size, orientation: int) -> Size:
    return size if orientation < _SWAPS_SIDES else Size(size.width, size.height)


def read_label_map_header(labels: bytes, policy: ImagePolicy) -> LabelMapHeader:
    """Read the size of a label map, which is a PNG of one byte a pixel.

    Raises:
        LabelMapError: if it is no PNG, or not one byte a pixel.
        ImageBudgetError: if it has too many pixels.
    """
    try:
        opened = Image.open(io.BytesIO(labels), formats=("PNG",))
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map is no PNG; it begins with {labels[:16]!r}") from error
    size = Size(opened.height, opened.width)
    if opened.mode not in {"L", "P"}:
        raise LabelMapError(f"label map is of mode {opened.mode}; expected L or P, a byte a pixel")
    if size.height * size.width > policy.max_pixels:
        raise ImageBudgetError(f"label map of {size}, the limit is {policy.max_pixels} pixels")
    return LabelMapHeader(size, opened)


def _open(photo: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is not stored
            return Image.open(io.BytesIO(photo), formats=OTHER_FORMATS)
    except PIL_ERRORS as error:
        raise ImageDecodeError(f"not an image; it begins with {photo[:16]!r}") from error


def _read_orientation(image: Image.Image) -> tuple[int, Image.Image | None]:
    """(EXIF's orientation, the image if it can still be decoded from where reading stopped)."""
    if image.format == "TIFF":
        return 1, image  # Pillow applies it itself, and gives the size after that
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except PIL_ERRORS:
        return 1, None
    return value if value in _ORIENTATIONS else 1, image


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Parse all markers of a JPEG.

    Raises:
        ImageDecodeError: if the structure is damaged before the first scan, or the file uses a
            coding nobody decodes. Damage behind that is an attribute of the header.
    """
    metadata = _Metadata()
    picture, damage = array("q", (0, 2)), ""
    scan = 0  # where the data of the scan before this segment starts
    in_front = True
    try:
        for marker, start, stop in _segments(data):
            if scan:
                _add(picture, scan, start)
            scan = stop if marker == SOS else 0
            in_front = in_front and marker != SOS
            if in_front:
                metadata.read(marker, data[start + 4 : stop])
            if marker in _NEEDED or _says_colour(data, marker, start):
                _add(picture, start, stop)
    except ImageDecodeError as error:
        if in_front:
            raise
        damage = str(error)
    return metadata.header(damage, picture)


def _add(picture: "array[int]", start: int, stop: int) -> None:
    if picture[-1] == start:
        picture[-1] = stop
    else:
        picture.extend((start, stop))


def _says_colour(data: bytes, marker: int, start: int) -> bool:
    """Whether a segment says in which colour space the components are: JFIF's and Adobe's do."""
    return (marker == _APP0 and data.startswith(b"JFIF\0", start + 4)) or (
        marker == _APP14 and data.startswith(b"Adobe", start + 4)
    )


@dataclass(slots=True)
class _Metadata:
    """What the segments in front of the first scan say."""

    frame: bytes | None = None
    coding: str = ""
    orientation: int = 1
    adobe: int | None = None
    jfif: bool = False
    profile: bool = False

    def read(self, marker: int, body: bytes) -> None:
        if marker in _SOF:
            self.frame, self.coding = body, _SOF[marker]
        elif marker in _OTHER_SOF:
            raise ImageDecodeError(f"JPEG of a kind nobody decodes (marker 0xFF{marker:02X})")
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            self.jfif = True
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            self.orientation = exif_orientation(body[6:])
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0"):
            self.profile = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:  # noqa: PLR2004 - Adobe's layout
            self.adobe = body[11]

    def header(self, damage: str, picture: "array[int]") -> JpegHeader:
        frame = self.frame
        if frame is None:
            raise ImageDecodeError("JPEG has no frame header, which gives its size")
        if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:  # noqa: PLR2004 - T.81's layout
            raise ImageDecodeError("JPEG's frame header is cut short")
        precision, height, width, count = struct.unpack_from(">BHHB", frame)
        if height == 0 or width == 0:
            raise ImageDecodeError(f"JPEG says its size is {width}x{height}")
        components = [frame[6 + 3 * i : 9 + 3 * i] for i in range(count)]
        factors = tuple((component[1] >> 4, component[1] & 15) for component in components)
        return JpegHeader(
            size=Size(height, width),
            coding=self.coding,
            precision=precision,
            colour=self._colour(tuple(component[0] for component in components)),
            sampling=_SAMPLING.get(factors, ""),
            orientation=self.orientation,
            profile=self.profile,
            damage=damage,
            picture=picture,
        )

    def _colour(self, ids: tuple[int, ...]) -> str:
        # The rules libjpeg follows (jdapimin.c, default_decompress_parms).
        if len(ids) == _GRAY:
            return "gray"
        if len(ids) == _COLOUR:
            if self.jfif or self.adobe == 1:
                return "YCbCr"
            return "RGB" if self.adobe == 0 or (self.adobe is None and ids == _RGB_IDS) else "YCbCr"
        if len(ids) == _FOUR:
            return "YCCK" if self.adobe == 2 else "CMYK"  # noqa: PLR2004 - Adobe's code
        raise ImageDecodeError(f"JPEG with {len(ids)} components; expected 1, 3 or 4")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, stop) of each marker segment, the end marker last; scan data is skipped."""
    position = 2
    while True:
        match = _NEXT_MARKER.search(data, position)
        if match is None:
            raise ImageDecodeError("JPEG ends without an end marker")
        start = match.start()
        marker = data[start + 1]
        if marker == EOI:
            yield marker, start, start + 2
            return
        if marker in (_TEM, SOI):
            position = start + 2
            continue
        if start + 4 > len(data):
            raise ImageDecodeError("JPEG ends inside a marker")
        stop = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if stop > len(data) or stop < start + 4:
            raise ImageDecodeError("JPEG ends inside a marker segment")
        yield marker, start, stop
        position = stop
        if marker == SOS:
            position = _jpeg_scan.end_of_scan(data, stop) if COMPILED else end_of_scan(data, stop)
            if position < 0:
                raise ImageDecodeError("JPEG ends inside its picture data")


def end_of_scan(data: bytes, start: int) -> int:
    """Find the first marker after a scan's data; -1 if there is none.

    The compiled search takes 0.05 ms a megabyte, this one 0.2, a regular expression 1.
    """
    scan = np.frombuffer(data, np.uint8, offset=start)
    offsets = np.flatnonzero(scan[:-1] == _FF)
    after = scan[offsets + 1]
    ends = offsets[(after != 0) & (after != _FF) & ((after < _RST0) | (after > _RST7))]
    return start + int(ends[0]) if ends.size else -1


def exif_orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory of an EXIF block; 1 if absent or unreadable.

    >>> exif_orientation(bytes.fromhex("4d4d002a00000008" "0001" "011200030000000100060000"))
    6
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * number)
            if tag == _ORIENTATION and kind == 3:  # noqa: PLR2004 - EXIF's code of 16 bits
                return value if value in _ORIENTATIONS else 1
    except struct.error:
        return 1
    return 1
