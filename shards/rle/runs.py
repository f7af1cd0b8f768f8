"""What the functions of this package give and take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import MaskError
from shards.sample import Size

LONGEST = 65535
"""Pixels of a side: those of the largest JPEG. A position in a mask then fits 32 bits, with one
value to spare, and a size from a stranger makes no large tables."""

_FIRST_ON_ITS_SIDE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Masks of one size, as run lengths.

    The functions of this package make only canonical ones: no run but the first of a mask is 0,
    and the runs of each mask cover its size. Equal masks then have equal runs.

    Attributes:
        lengths: uint32 [runs]; of all masks one after another, each column by column and
            beginning with 0s, as COCO has them.
        ends: int64 [masks]; where in `lengths` each mask ends (exclusive).
    """

    size: Size
    lengths: NDArray[np.uint32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        """How many masks."""
        return self.ends.size


def pixels(size: Size) -> int:
    """How many pixels a mask of this size has.

    Raises:
        MaskError: if it has none, or a side is longer than any picture's.
    """
    if size.height <= 0 or size.width <= 0:
        raise MaskError(f"a mask of {size} has no pixels")
    if size.height > LONGEST or size.width > LONGEST:
        raise MaskError(f"a mask of {size} is larger than any picture")
    return size.height * size.width


def turned(size: Size, orientation: int) -> Size:
    """The size after an EXIF orientation has been undone: from the fifth on, rows are columns.

    >>> turned(Size(2, 3), 6)
    Size(height=3, width=2)
    """
    return Size(size.width, size.height) if orientation >= _FIRST_ON_ITS_SIDE else size
