"""One mask <-> a bool array, for those who want pixels. `shards.rle` has the rest."""

import numpy as np
from numpy.typing import NDArray

from shards import rle
from shards.sample import Rle, Size


def decode_mask(mask: Rle) -> NDArray[np.bool_]:
    """The mask as bool [height, width].

    Raises:
        MaskError: if the counts do not describe a mask of their size.
    """
    runs = rle.parse([mask.counts], mask.size)
    out = np.empty((1, mask.size.height, mask.size.width), np.bool_)
    rle.paint(runs, out)
    pixels: NDArray[np.bool_] = out[0]
    return pixels


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """Run-length encode a bool [height, width] mask; both sides must be at least 1."""
    (counts,) = rle.write(rle.trace(mask[None]))
    return Rle(Size(*mask.shape), counts)
