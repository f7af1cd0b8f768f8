"""Bytes of a photo -> what it is, and its pixels. Pure."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from convert.errors import ImageBudgetError, ImageDecodeError
from convert.image.jpeg import JpegHeader, read_jpeg_header, strip_jpeg
from convert.image.policy import ImagePolicy
from shards.sample import Size

# Our own budget, checked on the header, takes the place of Pillow's.
Image.MAX_IMAGE_PIXELS = None

_OTHER_FORMATS = ("PNG", "WEBP", "BMP", "GIF", "TIFF")
_LEAST = 8
"""JPEG decoders can halve the sides three times while they decode."""
_ORIENTATION = 0x0112
_SWAPS_SIDES = 5
"""EXIF orientations from this one on turn the picture by a quarter."""
TURNS = {
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


def decode_rgb(data: bytes, header: Header, shrink: int = 1) -> Image.Image:
    """Decode to 8-bit RGB, as the file stores it: orientation is not applied.

    Transparency is dropped, not blended, and 16 bits are cut to the upper 8: both as OpenCV's
    reader does, which the annotations' users have always had.

    Args:
        data: the photo's file.
        header: what `read_header` said of it.
        shrink: 1, 2, 4 or 8: a JPEG may be decoded to that fraction of its sides, rounded up.

    Returns:
        An image of mode RGB or RGBX, which differ in nothing that resizing or encoding sees.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    if header.jpeg is not None and _decodes_fast(header.jpeg):
        try:
            return _decode_jpeg(data, header.size, shrink)
        except ImageDecodeError:
            # Strictness is about the picture: what is wrong with metadata does not count.
            return _decode_jpeg(strip_jpeg(data), header.size, shrink)
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


def _decode_jpeg(data: bytes, size: Size, shrink: int) -> Image.Image:
    """The same pixels as Pillow's, faster, and strict.

    Four bytes a pixel are how Pillow itself holds RGB: it takes the decoder's memory as it is.
    """
    pixels = _call_decoder(
        data, "RGBX", min_height=-(-size.height // shrink), min_width=-(-size.width // shrink)
    )
    height, width, _ = pixels.shape
    return Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)


def check_jpeg(data: bytes) -> None:
    """Raise if a JPEG does not decode to its last pixel.

    An eighth of its size in gray is decoded: every code is read, few pixels are computed. Damage
    shows in the codes: `bench.photo_checks` finds no file that only a whole decode refuses.

    Raises:
        ImageDecodeError: if it is cut short or damaged.
    """
    _call_decoder(data, "GRAY", min_height=1, min_width=1, min_factor=_LEAST)


def _call_decoder(data: bytes, colours: str, **size: int) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, colours, fastdct=False, fastupsample=False, strict=True, **size
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
    return value if value in TURNS else 1
