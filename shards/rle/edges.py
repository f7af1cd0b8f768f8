"""Masks as the sorted places where their pixels change: what the numpy kernel computes with.

An edge is mask * (area + 1) + p: from pixel p on, counted column by column, the mask is the
opposite of what it was. A mask begins with 0s. Its last edge, at p = area, is its end and changes
nothing. So one sorted int64 array holds all masks of a photo.
"""

import numpy as np
from numpy.typing import NDArray

from shards.rle.runs import Runs, pixels
from shards.sample import Size

Ints = NDArray[np.int64]


def edges_of(runs: Runs) -> Ints:
    """The edges of all masks, their ends among them: int64 [runs]."""
    edges: Ints = np.cumsum(runs.lengths, dtype=np.int64) + masks_of(runs)
    return edges


def masks_of(runs: Runs) -> Ints:
    """The number of the mask that each run belongs to: int64 [runs]."""
    return np.repeat(np.arange(len(runs)), np.diff(runs.ends, prepend=0))


def settle(edges: Ints, masks: int, size: Size) -> Runs:
    """The runs of so many masks from their edges.

    Args:
        edges: int64, sorted; two at one place cancel each other. Each mask's end is there at
            least once.
        masks: how many there are.
        size: of every mask.
    """
    stride = pixels(size) + 1
    ends = np.arange(1, masks + 1) * stride - 1
    if edges.size > 1 and (same := edges[1:] == edges[:-1]).any():
        first = np.flatnonzero(np.concatenate(([True], ~same)))
        odd = np.diff(first, append=edges.size) % 2 == 1
        edges = edges[first]
        odd[np.searchsorted(edges, ends)] = True
        edges = edges[odd]
    ends = np.searchsorted(edges, ends) + 1
    lengths = np.diff(edges, prepend=-1)
    lengths[np.concatenate(([0], ends[:-1]))[:masks]] -= 1  # the end before stands one place off
    return Runs(size, lengths.astype(np.uint32), ends.astype(np.int64))
