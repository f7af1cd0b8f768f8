"""Bytes of a photo in, bytes of a stored photo out. Pure.

One decision, `why_not_keep`, says whether a photo keeps its pixels; everything else follows.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
import simplejpeg
from PIL import Image

from convert.errors import ImageBudgetError, ImageDecodeError
from convert.jpeg import JpegHeader, read_jpeg_header, strip_jpeg
from shards.sample import EncodedImage, Size

# Our own budget, checked on the header, takes the place of Pillow's.
Image.MAX_IMAGE_PIXELS = None

_OTHER_FORMATS = ("PNG", "WEBP", "BMP", "GIF", "TIFF")
_ORIENTATION = 0x0112
_SWAPS_SIDES = 5
"""EXIF orientations from this one on turn the picture by a quarter."""
_KEPT_SAMPLING = frozenset(("4:4:4", "4:2:2", "4:2:0", "4:4:0"))
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PIL_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on damaged files, by reading them and by fuzzing."""


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """How images are stored.

    Attributes:
        longest_side: upper bound in pixels; smaller images are never enlarged.
        quality: JPEG quality, 1 to 100, used only where an image must be encoded anew.
        subsampling: of such an image's chroma.
        max_bytes: larger files are quarantined unread.
        max_pixels: larger images are quarantined undecoded.
    """

    longest_side: Annotated[int, msgspec.Meta(ge=16, le=65_500)] = 1024
    quality: Annotated[int, msgspec.Meta(ge=1, le=100)] = 95
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 64_000_000
    max_pixels: Annotated[int, msgspec.Meta(ge=1)] = 64_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """What a photo is, by its first bytes and never by its name.

    Attributes:
        size: as stored in the file, before any turn that `orientation` asks for.
        jpeg: more of it, where it is a JPEG.
    """

    format: str
    size: Size
    orientation: int
    jpeg: JpegHeader | None = None

    @property
    def upright(self) -> Size:
        """The size after the turn that `orientation` asks for."""
        if self.orientation < _SWAPS_SIDES:
            return self.size
        return Size(self.size.width, self.size.height)


def read_header(data: bytes, policy: ImagePolicy) -> Header:
    """Read format, size and orientation without decoding.

    Raises:
        ImageDecodeError: if it is no image, or its header is cut short.
        ImageBudgetError: if it has too many pixels.
    """
    if data.startswith(b"\xff\xd8"):
        found = read_jpeg_header(data)
        header = Header("JPEG", found.size, found.orientation, found)
    else:
        with _open(data) as image:
            size = Size(image.height, image.width)
            header = Header(str(image.format), size, _orientation(image))
    pixels = header.size.height * header.size.width
    if pixels > policy.max_pixels:
        raise ImageBudgetError(f"{header.size} pixels, the limit is {policy.max_pixels}")
    return header


def why_not_keep(header: Header, stored: Size, *, turn: bool) -> str | None:
    """Why a photo cannot keep its coded pixels, or None if it can.

    Args:
        header: of the photo.
        stored: the size it shall have.
        turn: whether its orientation is to be baked in.
    """
    if stored != (header.upright if turn else header.size):
        return "scaled down"
    if turn and header.orientation != 1:
        return "turned upright"
    if header.jpeg is None:
        return f"{header.format} made JPEG"
    return _why_not_keep_jpeg(header.jpeg)


def _why_not_keep_jpeg(header: JpegHeader) -> str | None:
    if header.colour != "YCbCr":
        return f"{header.colour} JPEG made YCbCr"
    if header.coding != "baseline" or header.precision != 8:  # noqa: PLR2004
        return f"{header.coding} JPEG made baseline"
    if header.sampling not in _KEPT_SAMPLING:
        return "odd chroma sampling made even"
    return None


def store(
    data: bytes, header: Header, stored: Size, policy: ImagePolicy, *, turn: bool
) -> tuple[EncodedImage, str]:
    """(the stored image, what was done to it: `kept` or the reason for encoding it anew).

    Args:
        data: the photo's file.
        header: what `read_header` said of it.
        stored: the size it shall have.
        policy: how to encode.
        turn: whether to bake its orientation in.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    reason = why_not_keep(header, stored, turn=turn)
    if reason is None:
        kept = strip_jpeg(data)
        _decode_jpeg(kept)  # structure alone does not show a scan that is cut short or damaged
        return EncodedImage(kept, "jpg", stored), "kept"
    image = decode_rgb(data, header)
    if turn and header.orientation in _TURNS:
        image = image.transpose(_TURNS[header.orientation])
    if image.size != (stored.width, stored.height):
        image = image.resize((stored.width, stored.height), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    # Pillow would carry a comment over from the photo.
    image.save(out, "JPEG", quality=policy.quality, subsampling=policy.subsampling, comment=b"")
    return EncodedImage(out.getvalue(), "jpg", stored), reason


def decode_rgb(data: bytes, header: Header) -> Image.Image:
    """Decode to 8-bit RGB, as the file stores it: orientation is not applied.

    Transparency is dropped, not blended, and 16 bits are cut to the upper 8: both as OpenCV's
    reader does, which the annotations' users have always had.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    if header.jpeg is not None and _decodes_fast(header.jpeg):
        return Image.fromarray(_decode_jpeg(strip_jpeg(data)))
    with _open(data, ("JPEG", *_OTHER_FORMATS)) as image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about transparency, which is dropped on purpose
                return _to_rgb(image)
        except PIL_ERRORS as error:
            raise ImageDecodeError(f"{header.format} does not decode: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _decodes_fast(header: JpegHeader) -> bool:
    """TurboJPEG takes chroma of the usual samplings only; libjpeg, through Pillow, takes any."""
    return header.colour == "gray" or (header.colour == "YCbCr" and header.sampling != "")


def _decode_jpeg(data: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """uint8 [height, width, 3]; the same pixels as Pillow's, faster, and strict."""
    try:
        pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = simplejpeg.decode_jpeg(
            data, "RGB", fastdct=False, fastupsample=False, strict=True
        )
    except ValueError as error:
        raise ImageDecodeError(f"JPEG does not decode: {error}") from error
    return pixels


def _open(data: bytes, formats: tuple[str, ...] = _OTHER_FORMATS) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is not kept
            return Image.open(io.BytesIO(data), formats=formats)
    except PIL_ERRORS as error:
        start = data[:16]
        raise ImageDecodeError(f"not an image; it begins with {start!r}") from error


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns these itself, and gives the size after the turn
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except PIL_ERRORS:
        return 1
    return value if value in _TURNS else 1
