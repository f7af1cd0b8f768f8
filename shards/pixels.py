"""Pixels of stored samples: decode a photo, decode a label map, paint masks.

The loader, the training examples, the viewer and the verifier all use these functions. So they
accept the same samples and report damage in the same way: `DecodeError` names the sample, the
member and the reason.

simplejpeg decodes photos, or Pillow where simplejpeg is not installed; Pillow decodes label maps.
Both are imported on first use.
"""

import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shards import rle
from shards.errors import DecodeError, MaskError, MissingExtraError
from shards.layout import ANNOTATIONS, LABELS
from shards.sample import Rle, Sample, Size

Bytes = NDArray[np.uint8]
Channels = Literal["RGB", "RGBX"]
"""RGBX adds a byte of padding to each pixel: the layout of RGB images in Pillow's memory."""

_COLOUR = frozenset(("YCbCr", "RGB"))
"""Colour spaces of a stored JPEG, as simplejpeg names them (docs/format.md: photos are RGB)."""


def decode_photo(sample: Sample, out: Bytes | None = None, channels: Channels = "RGB") -> Bytes:
    """Pixels of a sample's photo: uint8 [height, width, 3], or 4 for RGBX.

    Args:
        sample: whose photo to decode.
        out: contiguous array of that shape to decode into; by default a new one.
        channels: bytes of a pixel.

    Raises:
        DecodeError: if the photo is damaged, not RGB, or not of the size in its annotations.
        MissingExtraError: if neither simplejpeg nor Pillow is installed.

    >>> import io
    >>> from PIL import Image
    >>> from shards import EncodedImage
    >>> buffer = io.BytesIO()
    >>> Image.new("RGB", (3, 2), "white").save(buffer, "PNG")
    >>> photo = EncodedImage(buffer.getvalue(), "png", Size(height=2, width=3))
    >>> decode_photo(Sample("demo-1", photo, photo.size)).shape
    (2, 3, 3)
    """
    size, member = sample.image.size, sample.image.extension
    if out is None:
        out = np.empty((size.height, size.width, len(channels)), np.uint8)
    if member == "jpg":
        try:
            import simplejpeg
        except ImportError:
            pass
        else:
            return _decode_jpeg(simplejpeg, sample, out, channels)
    out[..., :3] = _decode_image(sample, member, sample.image.data, "RGB")
    out[..., 3:] = 255
    return out


def _decode_jpeg(simplejpeg: Any, sample: Sample, out: Bytes, channels: Channels) -> Bytes:
    data = sample.image.data
    try:
        height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
        _expect_size(sample, "jpg", Size(height, width))
        if colour not in _COLOUR:
            raise _damaged(sample, "jpg", f"expected an RGB photo, found {colour}")
        simplejpeg.decode_jpeg(data, channels, buffer=out)
    except ValueError as error:
        raise _damaged(sample, "jpg", f"does not decode: {error}") from error
    return out


def decode_labels(sample: Sample, out: Bytes | None = None) -> Bytes:
    """Class ids of a sample's label map: uint8 [height, width]; 255 is ignore.

    Args:
        sample: whose label map to decode.
        out: array of that shape to copy the ids into; by default a new, read-only one.

    Raises:
        DecodeError: if it is missing, damaged, or not 8-bit grayscale of the photo's size.
        MissingExtraError: if Pillow is not installed.

    >>> import io
    >>> from PIL import Image
    >>> from shards import EncodedImage, LabelMap
    >>> buffer = io.BytesIO()
    >>> Image.new("L", (3, 2), 7).save(buffer, "PNG")
    >>> photo = EncodedImage(b"...", "jpg", Size(height=2, width=3))
    >>> labels = LabelMap(buffer.getvalue(), table="demo", classes=(7,))
    >>> decode_labels(Sample("demo-1", photo, photo.size, labels=labels)).tolist()
    [[7, 7, 7], [7, 7, 7]]
    """
    if sample.labels is None:
        raise _damaged(sample, LABELS, "the sample has no label map")
    ids = _decode_image(sample, LABELS, sample.labels.png, "L")
    if out is None:
        return ids
    out[:] = ids
    return out


def require_pillow(purpose: str, *, extra: str) -> None:
    """Raise an error with the remedy if Pillow is not installed.

    Args:
        purpose: what needs it, for the message.
        extra: of glamm-shards that installs it.

    Raises:
        MissingExtraError: if it cannot be imported.
    """
    try:
        import PIL.Image  # noqa: F401 - only whether it can be imported
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs Pillow: pip install 'glamm-shards[{extra}]'"
        ) from error


def _decode_image(sample: Sample, member: str, data: bytes, mode: str) -> Bytes:
    """The pixels of an image of one mode and of the sample's size, by Pillow."""
    require_pillow(f"decoding {sample.key}.{member}", extra="load")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            _expect_size(sample, member, Size(image.height, image.width))
            if image.mode != mode:
                raise _damaged(sample, member, f"expected mode {mode}, found {image.mode}")
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _damaged(sample, member, f"does not decode: {error}") from error


def masks_of(sample: Sample, regions: Sequence[int]) -> list[Rle]:
    """The masks of these regions, by index.

    Raises:
        DecodeError: if a region has no mask.
    """
    masks = []
    for index in regions:
        mask = sample.regions[index].mask
        if mask is None:
            raise _damaged(sample, ANNOTATIONS, f"region {index} has no mask")
        masks.append(mask)
    return masks


def decode_runs(sample: Sample, masks: Sequence[Rle]) -> rle.Runs:
    """Masks of a sample as run lengths, checked against the size of its photo.

    Raises:
        DecodeError: if a mask is not of the photo's size, or its counts are damaged.
    """
    size = sample.image.size
    if any(mask.size != size for mask in masks):
        raise _explain_masks(sample, masks)
    try:
        return rle.decode_counts([mask.counts for mask in masks], size)
    except MaskError as error:
        raise _explain_masks(sample, masks) from error


def _explain_masks(sample: Sample, masks: Sequence[Rle]) -> DecodeError:
    """The error for masks of which at least one is wrong: names the region of the first."""
    size = sample.image.size
    for mask in masks:
        try:
            rle.decode_counts([mask.counts], mask.size)
        except MaskError as error:
            reason = str(error).removeprefix("mask 0: ")
        else:
            reason = "" if mask.size == size else f"mask is {mask.size}, the photo {size}"
        if reason:
            region = next(n for n, region in enumerate(sample.regions) if region.mask == mask)
            return _damaged(sample, ANNOTATIONS, f"region {region}: {reason}")
    raise AssertionError(f"{sample.key}: no mask is wrong")


def paint_masks(
    sample: Sample, masks: Sequence[Rle], out: NDArray[np.bool_] | Bytes | None = None
) -> NDArray[np.bool_] | Bytes:
    """Masks of a sample as 0 and 1: bool or uint8 [masks, height, width].

    Args:
        sample: to which the masks belong.
        masks: any of the sample's masks, in any order.
        out: bool or uint8 array of that shape to paint into; by default a new bool one.

    Raises:
        DecodeError: if a mask is not of the photo's size, or its counts are damaged.

    >>> from shards import EncodedImage, Region
    >>> photo = EncodedImage(b"...", "jpg", Size(height=2, width=3))
    >>> mask = Rle(photo.size, b"321")
    >>> sample = Sample("demo-1", photo, photo.size, regions=(Region(mask=mask),))
    >>> paint_masks(sample, [mask]).astype(int).tolist()
    [[[0, 0, 1], [0, 1, 0]]]
    """
    size = sample.image.size
    if out is None:
        out = np.empty((len(masks), size.height, size.width), np.bool_)
    if masks:
        rle.paint(decode_runs(sample, masks), out)
    return out


def decode_mask(mask: Rle) -> NDArray[np.bool_]:
    """One mask as pixels: bool [height, width].

    Raises:
        MaskError: if the counts do not describe a mask of their size.

    >>> decode_mask(Rle(Size(2, 3), b"321")).tolist()
    [[False, False, True], [False, True, False]]
    """
    runs = rle.decode_counts([mask.counts], mask.size)  # before allocating: checks the size
    out = np.empty((1, mask.size.height, mask.size.width), np.bool_)
    rle.paint(runs, out)
    pixels: NDArray[np.bool_] = out[0]
    return pixels


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """One mask from pixels: bool [height, width], both at least 1.

    >>> encode_mask(np.array([[False, False, True], [False, True, False]]))
    Rle(size=Size(height=2, width=3), counts=b'321')
    """
    (counts,) = rle.encode_counts(rle.from_pixels(mask[None]))
    return Rle(Size(*mask.shape), counts)


def _expect_size(sample: Sample, member: str, found: Size) -> None:
    if found != sample.image.size:
        raise _damaged(sample, member, f"is {found}, its annotations say {sample.image.size}")


def _damaged(sample: Sample, member: str, reason: str) -> DecodeError:
    return DecodeError(f"{sample.key}.{member}: {reason}")
