"""Masks as the sorted positions where their pixels change: the numpy kernel computes with these.

An edge is mask * (area + 1) + p: from pixel p on, counted column by column, the mask is the
opposite of what it was. A mask begins with 0s. Its last edge, at p = area, is its end and changes
nothing. So one sorted int64 array holds all masks of a photo.
"""

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.uint32]
IntArray = NDArray[np.int64]
LengthsEnds = tuple[Lengths, IntArray]
"""`Runs.lengths` and `Runs.ends`."""
Masks = tuple[Lengths, IntArray, int, int]
"""`Runs.lengths`, `Runs.ends`, height and width: how a kernel takes masks."""


def edges_of(lengths: Lengths, ends: IntArray) -> IntArray:
    """The edges of all masks, their ends among them: int64 [runs]."""
    edges: IntArray = np.cumsum(lengths, dtype=np.int64) + masks_of(ends)
    return edges


def masks_of(ends: IntArray) -> IntArray:
    """The index of the mask that each run belongs to: int64 [runs]."""
    return np.repeat(np.arange(ends.size), np.diff(ends, prepend=0))


def to_runs(edges: IntArray, masks: int, area: int) -> LengthsEnds:
    """(lengths, ends) of the canonical runs, from edges.

    Args:
        edges: int64, sorted; two equal ones cancel each other. Each mask's end is there at least
            once.
        masks: number of masks.
        area: pixels of each mask.
    """
    stride = area + 1
    ends = np.arange(1, masks + 1) * stride - 1
    if edges.size > 1 and (same := edges[1:] == edges[:-1]).any():
        first = np.flatnonzero(np.concatenate(([True], ~same)))
        odd = np.diff(first, append=edges.size) % 2 == 1
        edges = edges[first]
        odd[np.searchsorted(edges, ends)] = True
        edges = edges[odd]
    ends = np.searchsorted(edges, ends) + 1
    lengths = np.diff(edges, prepend=-1)
    # The first run of a mask starts one after the end of the mask before.
    lengths[np.concatenate(([0], ends[:-1]))[:masks]] -= 1
    return lengths.astype(np.uint32), ends.astype(np.int64)
