"""Label maps: upstream's PNG in, an 8-bit mode-L PNG of class ids at the stored size out. Pure."""

import io

import numpy as np
from PIL import Image

from convert.decode import PIL_ERRORS
from convert.errors import ImageBudgetError, LabelMapError, SizeMismatchError
from convert.png import read_plain_png, write_gray_png
from convert.policy import ImagePolicy
from convert.record import LabelTable
from shards.sample import LabelMap, Size

_VALUES = 256
_IGNORE = 255


def store_labels(
    data: bytes, table: LabelTable, size: Size, stored: Size, policy: ImagePolicy
) -> LabelMap:
    """Map upstream's values to class ids and reduce by nearest neighbour.

    A palette PNG counts by its indices: several classes share a colour, so colours say nothing.

    Raises:
        LabelMapError: if it does not decode, is not 8 bits a pixel, or holds an unknown value.
        SizeMismatchError: if it is not of the photo's size.
        ImageBudgetError: if it has too many pixels.
    """
    found = read_label_size(data, policy)
    if found != size:
        raise SizeMismatchError(f"label map is {found}, the photo {size}")
    image = _decode(data, policy)
    # Pillow's histogram, not bincount, which is six times as slow.
    counts = np.array(image.histogram()[:_VALUES])
    unknown = np.flatnonzero((counts > 0) & (np.frombuffer(table.known, np.uint8) == 0))
    if unknown.size:
        raise LabelMapError(
            f"label map holds the values {unknown[:5].tolist()}, which table {table.name!r} does "
            f"not know; is this another edition of the dataset?"
        )
    if size != stored:
        image = image.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    # After the resize, which only picks pixels, there are fewer of them to look up.
    ids = np.frombuffer(table.lookup, np.uint8)[np.asarray(image)]
    present = np.flatnonzero(Image.fromarray(ids).histogram()[:_IGNORE])
    return LabelMap(write_gray_png(ids), table.name, tuple(present.tolist()))


def _decode(data: bytes, policy: ImagePolicy) -> Image.Image:
    """The values as an image of mode L, whatever the palette."""
    plain = read_plain_png(data, policy.max_pixels)
    if plain is not None:
        return Image.fromarray(np.ascontiguousarray(plain))
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return Image.fromarray(np.asarray(image))
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map does not decode: {error}") from error


def read_label_size(data: bytes, policy: ImagePolicy) -> Size:
    """The size of a label map, without decoding it.

    Raises:
        LabelMapError: if it is no PNG, or not one byte a pixel.
        ImageBudgetError: if it has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            size, mode = Size(image.height, image.width), image.mode
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map is no PNG; it begins with {data[:16]!r}") from error
    if mode not in {"L", "P"}:
        raise LabelMapError(f"label map is of mode {mode}; expected one byte a pixel (L or P)")
    if size.height * size.width > policy.max_pixels:
        raise ImageBudgetError(f"label map of {size}, the limit is {policy.max_pixels} pixels")
    return size
