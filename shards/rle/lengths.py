"""COCO's uncompressed counts -> runs. Rare and small: numpy does it for both kernels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.errors import MaskError
from shards.rle.complaint import of_lengths
from shards.rle.plain_text import canonical
from shards.rle.runs import Runs, pixels
from shards.sample import Size


def from_lengths(lengths: Sequence[Sequence[int]], size: Size) -> Runs:
    """Masks from run lengths that begin with 0s, as decoders in the wild write them.

    Raises:
        MaskError: naming the first mask whose lengths are not whole numbers that cover the size.
    """
    pixels(size)
    masks = [_whole(number, runs, size) for number, runs in enumerate(lengths)]
    counts = np.array([runs.size for runs in masks], np.int64)
    if not masks:
        return Runs(size, np.zeros(0, np.uint32), counts)
    return canonical(np.concatenate(masks), np.cumsum(counts) - counts, size)


def _whole(number: int, lengths: Sequence[int], size: Size) -> NDArray[np.int64]:
    try:
        runs = np.asarray(lengths)
    except ValueError as error:  # lists of several lengths inside
        raise MaskError(f"mask {number}: its run lengths are not one list") from error
    if runs.ndim != 1 or (runs.size and runs.dtype.kind not in "iu"):
        raise MaskError(f"mask {number}: its run lengths are not whole numbers of 64 bits")
    area = pixels(size)
    # Each for itself first: the sum could overflow and look right.
    if not runs.size or runs.min() < 0 or runs.max() > area or runs.sum() != area:
        raise MaskError(f"mask {number}: {of_lengths(runs.tolist(), size)}")
    return runs.astype(np.int64)
