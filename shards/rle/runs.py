"""Masks as run lengths: what the functions of `shards.rle` take and return."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import MaskError
from shards.sample import Size

MAX_SIDE = 65535
"""Pixels: the side of the largest JPEG. A position in a mask then fits 32 bits, with one value to
spare, and a size from an untrusted file allocates no large tables."""

_FIRST_TRANSPOSED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Masks of one size, as run lengths.

    The functions of `shards.rle` return canonical runs: no run but the first of a mask is 0, and
    the runs of each mask cover its size. Equal masks then have equal runs.

    Attributes:
        lengths: uint32 [runs]; of all masks one after another, each column by column and
            beginning with 0s, as COCO has them.
        ends: int64 [masks]; where in `lengths` each mask ends (exclusive).
    """

    size: Size
    lengths: NDArray[np.uint32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of masks."""
        return self.ends.size


def count_pixels(size: Size) -> int:
    """Number of pixels of a mask of this size.

    Raises:
        MaskError: if a side is not positive, or longer than `MAX_SIDE`.
    """
    if size.height <= 0 or size.width <= 0:
        raise MaskError(f"a mask of {size} has no pixels")
    if size.height > MAX_SIDE or size.width > MAX_SIDE:
        raise MaskError(f"a mask of {size} is larger than any picture")
    return size.height * size.width


def upright_size(size: Size, orientation: int) -> Size:
    """The size after an EXIF orientation is applied: 5 to 8 exchange rows and columns.

    >>> upright_size(Size(2, 3), 6)
    Size(height=3, width=2)
    """
    return Size(size.width, size.height) if orientation >= _FIRST_TRANSPOSED else size
