"""The arrays of an example: both image encoders' inputs, masks, label map and boxes.

The inputs equal the reference's bit for bit. CLIP's: transformers' `CLIPImageProcessor` with the
settings of openai/clip-vit-large-patch14-336. SAM's: facebookresearch/segment-anything,
`ResizeLongestSide` and `Sam.preprocess`.

Every slow step is a call into libjpeg, Pillow, numpy or a compiled kernel, all of which release the
interpreter's lock.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from shards.glamm.normalisation import CLIP, SAM, EncoderInput, normalise
from shards.load.reading.batch import BufferPool
from shards.pixels import decode_photo, paint_masks
from shards.sample import Box, Rle, Sample, Size

InputDtype = Literal["float32", "uint16"]
"""uint16 holds the bits of bf16."""
IGNORE = 255
BUFFERS = BufferPool()
"""Memory of examples that are no longer in use. For the inputs of a small photo, fresh pages cost
as much time as everything else together."""


def open_photo(sample: Sample) -> Image.Image:
    """The photo as an RGBX image, which resizes like RGB.

    Pillow itself keeps RGB in four bytes a pixel, so it uses the decoder's memory as it is.

    Raises:
        DecodeError: if it does not decode, or is of another size than the annotations say.
    """
    size = sample.image.size
    pixels = decode_photo(sample, BUFFERS.array((size.height, size.width, 4), np.uint8), "RGBX")
    return Image.frombuffer("RGBX", (size.width, size.height), pixels, "raw", "RGBX", 0, 1)


def clip_input(
    photo: Image.Image, side: int, original: Size, dtype: InputDtype = "float32"
) -> EncoderInput:
    """The centre of the photo, with its shorter side scaled to `side`: [3, side, side].

    Args:
        photo: as stored.
        side: in pixels.
        original: the photo's size before it was scaled down to be stored. The longer side is
            rounded as if that photo were scaled: one pixel of difference would shift the image.
        dtype: of the values.
    """
    photo = photo.resize(clip_size(original, side), Image.Resampling.BICUBIC)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    pixels = view_pixels(photo)[top : top + side, left : left + side]
    out: EncoderInput = BUFFERS.array((3, side, side), dtype)
    normalise(pixels, CLIP, out)
    return out


def clip_size(size: Size, side: int) -> tuple[int, int]:
    """Width and height with the shorter side scaled to `side` and the longer one rounded down.

    >>> clip_size(Size(1500, 2250), 336), clip_size(Size(683, 1024), 336)
    ((504, 336), (503, 336))
    """
    short, long = sorted((size.height, size.width))
    longer = int(side * long / short)
    return (side, longer) if size.width == short else (longer, side)


def sam_input(
    photo: Image.Image, side: int, dtype: InputDtype = "float32"
) -> tuple[EncoderInput, tuple[int, int]]:
    """The photo with its longer side scaled to `side`, padded with zeros right and below.

    Returns:
        (values [3, side, side], height and width of the photo in them).
    """
    width, height = resized = sam_size(photo.width, photo.height, side)
    photo = photo.resize(resized, Image.Resampling.BILINEAR)
    out: EncoderInput = BUFFERS.array((3, side, side), dtype)
    normalise(view_pixels(photo), SAM, out[:, :height, :width])
    out[:, height:] = 0
    out[:, :height, width:] = 0
    return out, (height, width)


def sam_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the longer side scaled to `side`, halves rounded up; at least 1.

    >>> sam_size(640, 427, 1024)
    (1024, 683)
    """
    scale = side / max(width, height)
    return max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))


def view_pixels(photo: Image.Image) -> NDArray[np.uint8]:
    """Pixels of a resized photo, without a copy if possible: uint8 [height, width, 3 or 4].

    Pillow keeps four bytes a pixel and exports an image by Arrow's C interface if it is one block
    of Pillow's own memory; `np.asarray` copies it three times. Exporting memory of another library
    crashes. The result of `resize` is always Pillow's own memory, even if the size stays the same.
    """
    if hasattr(photo, "__arrow_c_array__") and not photo.readonly:
        with suppress(ValueError):  # several blocks
            flat = pa.array(photo).flatten().to_numpy(zero_copy_only=True)
            view: NDArray[np.uint8] = flat.reshape(photo.height, photo.width, -1)
            return view
    return np.asarray(photo)


def mask_array(sample: Sample, masks: Sequence[Rle]) -> NDArray[np.uint8]:
    """Some masks of a sample as 0 and 1: uint8 [masks, height, width] of the stored size.

    Raises:
        DecodeError: if a mask is damaged or of another size.
    """
    size = sample.image.size
    out: NDArray[np.uint8] = BUFFERS.array((len(masks), size.height, size.width), np.uint8)
    paint_masks(sample, masks, out)
    return out


def class_masks(labels: NDArray[np.uint8], class_ids: Sequence[int]) -> NDArray[np.uint8]:
    """A mask for each of some classes of a label map: uint8 [classes, height, width]."""
    out: NDArray[np.uint8] = BUFFERS.array((len(class_ids), *labels.shape), np.uint8)
    for class_id, mask in zip(class_ids, out, strict=True):
        np.equal(labels, class_id, out=mask.view(np.bool_))
    return out


def widen_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A label map in the reference's type: int64 [height, width]."""
    out: NDArray[np.int64] = BUFFERS.array(labels.shape, np.int64)
    out[:] = labels
    return out


def blank_labels(size: Size) -> NDArray[np.int64]:
    """A label map of nothing but `IGNORE`, in eight bytes: the model reads only its shape."""
    return np.broadcast_to(np.int64(IGNORE), (size.height, size.width))


def relative_boxes(boxes: Sequence[Box], size: Size) -> NDArray[np.float32]:
    """Boxes as fractions of width and height: float32 [boxes, 4].

    >>> relative_boxes([Box(0, 5, 10, 10)], Size(10, 40)).tolist()
    [[0.0, 0.5, 0.25, 1.0]]
    """
    corners = np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.float64).reshape(-1, 4)
    return (corners / ([size.width, size.height] * 2)).astype(np.float32)
