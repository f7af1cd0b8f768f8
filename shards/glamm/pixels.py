"""A stored photo as the inputs of both image encoders, bit for bit as the reference makes them.

CLIP's: transformers' `CLIPImageProcessor` with the settings of openai/clip-vit-large-patch14-336.
SAM's: facebookresearch/segment-anything, `ResizeLongestSide` and `Sam.preprocess`.

Everything that takes time is a call into libjpeg, Pillow or numpy, which let other threads run.
"""

from contextlib import suppress
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from shards.glamm.normal import CLIP, SAM, Values, normalise
from shards.load.reading.batch import BufferPool
from shards.pixels import decode_photo
from shards.sample import Sample, Size

Kind = Literal["float32", "uint16"]
"""What values are made: uint16 holds the bits of bf16."""
MEMORY = BufferPool()
"""Of examples that nobody holds any more: for a small photo's inputs, fresh pages cost as much as
all the rest."""


def open_photo(sample: Sample) -> Image.Image:
    """The photo as an RGBX image, which resizing takes for RGB.

    Four bytes a pixel are how Pillow itself holds RGB: it takes the decoder's memory as it is.

    Raises:
        DecodeError: if it does not decode, or is of another size than the annotations say.
    """
    size = sample.image.size
    pixels = decode_photo(sample, MEMORY.array((size.height, size.width, 4), np.uint8), "RGBX")
    return Image.frombuffer("RGBX", (size.width, size.height), pixels, "raw", "RGBX", 0, 1)


def clip_input(photo: Image.Image, side: int, original: Size, kind: Kind = "float32") -> Values:
    """The middle of the photo, its shorter side scaled to `side`: [3, side, side].

    Args:
        photo: as stored.
        side: in pixels.
        original: the photo's size before it was scaled down to be stored. The longer side is
            rounded as if that were scaled: a pixel more or less would shift the whole picture.
        kind: of the values.
    """
    photo = photo.resize(clip_size(original, side), Image.Resampling.BICUBIC)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    pixels = view_pixels(photo)[top : top + side, left : left + side]
    out: Values = MEMORY.array((3, side, side), kind)
    normalise(pixels, CLIP, out)
    return out


def clip_size(size: Size, side: int) -> tuple[int, int]:
    """Width and height with the shorter side scaled to `side`, the other one cut to whole pixels.

    >>> clip_size(Size(1500, 2250), 336), clip_size(Size(683, 1024), 336)
    ((504, 336), (503, 336))
    """
    short, long = sorted((size.height, size.width))
    longer = int(side * long / short)
    return (side, longer) if size.width == short else (longer, side)


def sam_input(
    photo: Image.Image, side: int, kind: Kind = "float32"
) -> tuple[Values, tuple[int, int]]:
    """The photo with its longer side scaled to `side`, and zeros beyond it.

    Returns:
        (values [3, side, side], height and width of the photo in them).
    """
    width, height = resized = sam_size(photo.width, photo.height, side)
    photo = photo.resize(resized, Image.Resampling.BILINEAR)
    out: Values = MEMORY.array((3, side, side), kind)
    normalise(view_pixels(photo), SAM, out[:, :height, :width])
    out[:, height:] = 0
    out[:, :height, width:] = 0
    return out, (height, width)


def view_pixels(photo: Image.Image) -> NDArray[np.uint8]:
    """Pixels of a resized photo, where they lie if possible: uint8 [height, width, 3 or 4].

    Pillow keeps four bytes a pixel, and shows them by Arrow's C interface if they lie in one block
    of its memory; `np.asarray` copies them three times. Another program's memory it must not show:
    that crashes. `resize` has made memory of its own, even where it changed nothing.
    """
    if hasattr(photo, "__arrow_c_array__") and not photo.readonly:
        with suppress(ValueError):  # several blocks
            flat = pa.array(photo).flatten().to_numpy(zero_copy_only=True)
            seen: NDArray[np.uint8] = flat.reshape(photo.height, photo.width, -1)
            return seen
    return np.asarray(photo)


def sam_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with the longer side scaled to `side`, halves rounded up; at least 1.

    >>> sam_size(640, 427, 1024)
    (1024, 683)
    """
    scale = side / max(width, height)
    return max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))
