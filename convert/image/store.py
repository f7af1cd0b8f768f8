"""Bytes of a photo in, bytes of a stored photo out. Pure.

One decision, `why_not_keep`, says whether a photo keeps its pixels; everything else follows.
"""

import io
import warnings

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from convert.errors import ImageDecodeError
from convert.image import transcode
from convert.image.header import OTHER_FORMATS, PIL_ERRORS, JpegHeader, PhotoHeader
from convert.image.policy import Fidelity, ImagePolicy
from shards.sample import EncodedImage, Size

_FAST_REST = 4.5
"""`bench.fidelity` has the measurement, by reduction, on real photos."""
_KEPT_SAMPLING = frozenset(("4:4:4", "4:2:2", "4:2:0", "4:4:0"))
_LEAST = 8
"""JPEG decoders can halve the sides three times while they decode."""
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright."""


def why_not_keep(header: PhotoHeader, stored: Size, *, apply_orientation: bool) -> str | None:
    """Why a photo cannot keep its coded pixels, or None if it can.

    Args:
        header: of the photo.
        stored: the size to store it at.
        apply_orientation: whether its pixels are to be stored upright.
    """
    if stored != (header.upright if apply_orientation else header.size):
        return "scaled down"
    if apply_orientation and header.orientation != 1:
        return "turned upright"
    if header.jpeg is None:
        return f"{header.format} made JPEG"
    return _why_not_keep_jpeg(header.jpeg)


def _why_not_keep_jpeg(header: JpegHeader) -> str | None:
    if header.colour != "YCbCr":
        return f"{header.colour} JPEG made YCbCr"
    if header.coding != "baseline" or header.precision != 8:  # noqa: PLR2004 - bits
        return f"{header.coding} JPEG made baseline"
    if header.sampling not in _KEPT_SAMPLING:
        return "odd chroma sampling made even"
    return None


def choose_shrink(size: Size, stored: Size, fidelity: Fidelity) -> int:
    """By how much the JPEG decoder may shrink a photo before the resize does the rest.

    `exact` never; `fast` where the resize still has to reduce by 4.5, so that no photo measured
    comes out under 40 dB of the exact one; `draft` whenever the result is not too small, as
    Pillow's own draft mode.

    >>> [choose_shrink(Size(9000, 12000), Size(768, 1024), f) for f in ("exact", "fast", "draft")]
    [1, 2, 8]
    """
    # An orientation may swap the stored sides, never which of two longest sides is longer.
    reduction = max(size.height, size.width) / max(stored.height, stored.width)
    least = {"exact": float("inf"), "fast": _FAST_REST, "draft": 1.0}[fidelity]
    return max((s for s in (2, 4, 8) if reduction / s >= least), default=1)


def store(
    photo: bytes,
    header: PhotoHeader,
    stored: Size,
    policy: ImagePolicy,
    *,
    apply_orientation: bool,
) -> tuple[EncodedImage, str]:
    """(the stored image, what was done to it: `kept` or the reason for encoding it anew).

    Args:
        photo: the original file.
        header: of the photo.
        stored: the size to store it at.
        policy: how to encode.
        apply_orientation: whether to store its pixels upright.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    reason = why_not_keep(header, stored, apply_orientation=apply_orientation)
    transpose = _TRANSPOSE.get(header.orientation) if apply_orientation else None
    if header.jpeg is not None and stored == header.size and transpose is None:
        if reason is None:
            kept = strip_jpeg(photo, header.jpeg)
            check_jpeg(kept)  # structure alone does not show a scan that is cut short or damaged
            return EncodedImage(kept, "jpg", stored), "kept"
        if transcode.COMPILED:
            # The budget was checked against this size, so libjpeg must not find a larger one.
            pixels = stored.height * stored.width
            recoded = transcode.to_baseline(strip_jpeg(photo, header.jpeg), pixels)
            if recoded is not None:
                return EncodedImage(recoded, "jpg", stored), f"{reason} without loss"
    image = decode_rgb(photo, header, choose_shrink(header.size, stored, policy.fidelity))
    if transpose is not None:
        image = image.transpose(transpose)
    return _encode(image, stored, policy), f"{reason}"


def _encode(image: Image.Image, stored: Size, policy: ImagePolicy) -> EncodedImage:
    """An upright image at its stored size, as JPEG."""
    if image.size != (stored.width, stored.height):
        image = image.resize((stored.width, stored.height), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    # Pillow would carry a comment over from the photo.
    image.save(out, "JPEG", quality=policy.quality, subsampling=policy.subsampling, comment=b"")
    return EncodedImage(out.getvalue(), "jpg", stored)


def strip_jpeg(photo: bytes, header: JpegHeader) -> bytes:
    """The same picture without EXIF, profiles, thumbnails, comments and trailing bytes.

    Quantised coefficients are copied bit for bit. The JFIF and Adobe markers stay: they say
    which colour space the components are in.

    Raises:
        ImageDecodeError: if the structure is damaged, such as by a missing end.
    """
    if header.damage:
        raise ImageDecodeError(header.damage)
    offsets = iter(header.picture)
    return b"".join([photo[start:stop] for start, stop in zip(offsets, offsets, strict=True)])


def check_jpeg(data: bytes) -> None:
    """Raise if a JPEG does not decode to its last pixel.

    It decodes an eighth of the size in gray: that reads every code and computes few pixels. Damage
    shows in the codes: `bench.photo_checks` finds no file that only a whole decode refuses.

    Raises:
        ImageDecodeError: if it is cut short or damaged.
    """
    _decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=_LEAST)


def decode_rgb(photo: bytes, header: PhotoHeader, shrink: int = 1) -> Image.Image:
    """Decode to 8-bit RGB, as the file stores it: orientation is not applied.

    Transparency is dropped, not blended, and 16 bits are cut to the upper 8: both as OpenCV's
    reader does, which is what users of these annotations have always had.

    Args:
        photo: the original file.
        header: of the photo.
        shrink: 1, 2, 4 or 8: a JPEG may be decoded to that fraction of its sides, rounded up.

    Returns:
        An image of mode RGB or RGBX, which are the same to resizing and to encoding.

    Raises:
        ImageDecodeError: if the photo does not decode to its last pixel.
    """
    if header.jpeg is not None and _decodes_fast(header.jpeg):
        return _decode_rgbx(photo, header.jpeg, shrink)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about transparency and metadata: dropped on purpose
            # Where Pillow could not read the metadata, it begins again.
            opened = header.opened or Image.open(
                io.BytesIO(photo), formats=("JPEG", *OTHER_FORMATS)
            )
            return _to_rgb(opened)
    except UnidentifiedImageError as error:  # its message has an address in memory
        raise ImageDecodeError(f"{header.format} does not decode: Pillow refuses it") from error
    except PIL_ERRORS as error:
        raise ImageDecodeError(f"{header.format} does not decode: {error}") from error


def _decodes_fast(header: JpegHeader) -> bool:
    """TurboJPEG takes chroma of the usual samplings only; libjpeg, through Pillow, takes any."""
    return header.colour == "gray" or (header.colour == "YCbCr" and header.sampling != "")


def _decode_rgbx(photo: bytes, header: JpegHeader, shrink: int) -> Image.Image:
    """The same pixels as Pillow's, faster, and strict about the picture alone, not metadata.

    Four bytes a pixel are how Pillow itself holds RGB: it takes the decoder's memory as it is.
    """
    size = header.size
    least = {"min_height": -(-size.height // shrink), "min_width": -(-size.width // shrink)}
    try:
        pixels = _decode_jpeg(photo, "RGBX", **least)
    except ImageDecodeError:
        # libjpeg refuses damaged metadata as well, and only the picture counts. Stripping every
        # photo first would cost a copy.
        pixels = _decode_jpeg(strip_jpeg(photo, header), "RGBX", **least)
    height, width, _ = pixels.shape
    return Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)


def _decode_jpeg(data: bytes, colours: str, **size: int) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, colours, fastdct=False, fastupsample=False, strict=True, **size
        )
    except ValueError as error:
        raise ImageDecodeError(f"JPEG does not decode: {error}") from error
    return pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:
        samples = np.asarray(image).astype(np.int64)
        return Image.fromarray((samples >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
