"""A stored photo as the inputs of both image encoders, bit for bit as the reference makes them.

CLIP's: transformers' `CLIPImageProcessor` with the settings of openai/clip-vit-large-patch14-336.
SAM's: facebookresearch/segment-anything, `ResizeLongestSide` and `Sam.preprocess`.

Everything that takes time is a call into libjpeg, Pillow or numpy, which let other threads run.
"""

import io
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, _imaging

from shards.errors import CorruptShardError
from shards.load.memory import Memory
from shards.sample import Sample, Size

if not _imaging.get_blocks_max():
    # Pillow gives each image's memory back, and fresh pages cost more than resizing does.
    _imaging.set_blocks_max(8)

Values = NDArray[np.float32]
MEMORY = Memory()
"""Of examples that nobody holds any more: for a small photo's inputs, fresh pages cost as much as
all the rest."""


class Normal(NamedTuple):
    """How bytes become values: `(byte / whole - mean) / deviation`, a channel each."""

    whole: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


CLIP = Normal(255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SAM = Normal(1, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def decode_photo(sample: Sample) -> Image.Image:
    """The photo as RGB, or as RGBX, which resizing takes for the same.

    Raises:
        CorruptShardError: if it does not decode, or is of another size than the annotations say.
    """
    image = sample.image
    try:
        photo = _decode_jpeg(image.data) if image.extension == "jpg" else None
        photo = photo or Image.open(io.BytesIO(image.data)).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptShardError(
            f"{sample.key}.{image.extension}: does not decode: {error}"
        ) from error
    size = Size(photo.height, photo.width)
    if size != image.size:
        raise CorruptShardError(f"{sample.key}: photo is {size}, its annotations say {image.size}")
    return photo


def _decode_jpeg(data: bytes) -> Image.Image | None:
    """Pillow's pixels, faster; None where simplejpeg is not installed.

    Four bytes a pixel are how Pillow itself holds RGB: it takes the decoder's memory as it is.
    """
    try:
        import simplejpeg
    except ImportError:
        return None
    pixels = simplejpeg.decode_jpeg(data, "RGBX", fastdct=False, fastupsample=False)
    height, width, _ = pixels.shape
    return Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)


def clip_input(photo: Image.Image, side: int, original: Size) -> Values:
    """The middle of the photo, its shorter side scaled to `side`: [3, side, side].

    Args:
        photo: as stored.
        side: in pixels.
        original: the photo's size before it was scaled down to be stored. The longer side is
            rounded as if that were scaled: a pixel more or less would shift the whole picture.
    """
    photo = photo.resize(clip_size(original, side), Image.Resampling.BICUBIC)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    pixels = view_pixels(photo)[top : top + side, left : left + side]
    out = MEMORY.array((3, side, side), np.float32)
    _normalise(pixels, CLIP, out)
    return out


def clip_size(size: Size, side: int) -> tuple[int, int]:
    """Width and height with the shorter side scaled to `side`, the other one cut to whole pixels.

    >>> clip_size(Size(1500, 2250), 336), clip_size(Size(683, 1024), 336)
    ((504, 336), (503, 336))
    """
    short, long = sorted((size.height, size.width))
    longer = int(side * long / short)
    return (side, longer) if size.width == short else (longer, side)


def sam_input(photo: Image.Image, side: int) -> tuple[Values, tuple[int, int]]:
    """The photo with its longer side scaled to `side`, and zeros beyond it.

    Returns:
        (values [3, side, side], height and width of the photo in them).
    """
    width, height = resized = sam_size(photo.width, photo.height, side)
    photo = photo.resize(resized, Image.Resampling.BILINEAR)
    out = MEMORY.array((3, side, side), np.float32)
    _normalise(view_pixels(photo), SAM, out[:, :height, :width])
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


def _normalise(pixels: NDArray[np.uint8], normal: Normal, out: Values) -> None:
    """Write values of uint8 [height, width, 3 or 4] into [3, height, width].

    All in single precision and in this order of operations, so that not even the last bit differs
    from the reference's. transformers multiplies by 1 / 255 in double precision and then rounds,
    which of the 256 bytes there are gives what dividing gives.
    """
    for channel, plane in enumerate(out):
        source: NDArray[np.uint8] | Values = pixels[..., channel]
        if normal.whole != 1:
            np.divide(source, np.float32(normal.whole), out=plane)
            source = plane
        np.subtract(source, np.float32(normal.mean[channel]), out=plane)
        np.divide(plane, np.float32(normal.deviation[channel]), out=plane)
