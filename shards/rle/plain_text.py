"""COCO's compressed counts <-> runs, for all masks at once, on numpy alone.

The encoding (cocodataset/cocoapi, common/maskApi.c, rleToString): run lengths of 0s and 1s in
turn, column-major, beginning with 0s. From the fourth on a run is stored as its difference to the
run two before. A number is cut into 5-bit groups, lowest first, two's complement; bit 5 says that
more follow; 48 is added to make it printable.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shards.rle.complaint import refusal
from shards.rle.edges import settle
from shards.rle.runs import Runs, pixels
from shards.sample import Size

_ZERO = 48
_LARGEST = 0x3F
_MORE = 0x20
_GROUP = 0x1F
_BITS = 5
_MAX_GROUPS = 7
_FIRST_DELTA = 3

Ints = NDArray[np.int64]


def parse(counts: Sequence[bytes], size: Size) -> Runs:
    """See `shards.rle.parse`."""
    area = pixels(size)
    if not counts:
        return Runs(size, np.zeros(0, np.uint32), np.zeros(0, np.int64))
    numbers = _numbers(counts)
    if numbers is None:
        raise refusal(counts, size)
    values, first = numbers
    lengths = _undo_differences(values, first)
    # Each for itself first: the sums could overflow and look right.
    if lengths.min() < 0 or lengths.max() > area or (np.add.reduceat(lengths, first) != area).any():
        raise refusal(counts, size)
    return canonical(lengths, first, size)


def canonical(lengths: Ints, first: Ints, size: Size) -> Runs:
    """Runs without empty ones inside, which writers in the wild leave behind.

    Args:
        lengths: int64 [runs] of all masks; each covers the size.
        first: int64 [masks]; where each begins.
        size: of every mask.
    """
    ends = np.append(first[1:], lengths.size)
    empty = lengths == 0
    empty[first] = False
    if not empty.any():
        return Runs(size, lengths.astype(np.uint32), ends.astype(np.int64))
    masks = np.repeat(np.arange(ends.size), ends - first)
    return settle(np.cumsum(lengths) + masks, ends.size, size)


def write(runs: Runs) -> list[bytes]:
    """See `shards.rle.write`."""
    if not len(runs):
        return []
    values = _differences(runs)
    groups = np.ones(values.size, np.int64)
    for bits in range(_BITS, _BITS * _MAX_GROUPS, _BITS):
        longer = (values + (1 << (bits - 1))) >> bits != 0
        if not longer.any():
            break
        groups += longer
    ends = np.cumsum(groups)
    starts = ends - groups
    text = np.zeros(ends[-1], np.uint8)
    for group in range(int(groups.max())):
        has = np.flatnonzero(groups > group)
        more = np.where(groups[has] > group + 1, _MORE, 0)
        text[starts[has] + group] = ((values[has] >> (_BITS * group)) & _GROUP) + more + _ZERO
    whole = text.tobytes()
    cuts = [0, *ends[runs.ends - 1].tolist()]
    return [whole[start:end] for start, end in pairwise(cuts)]


def _differences(runs: Runs) -> Ints:
    values = runs.lengths.astype(np.int64)
    values[_FIRST_DELTA:] -= runs.lengths[_FIRST_DELTA - 2 : -2]
    first = np.concatenate(([0], runs.ends[:-1]))
    whole = first[:, None] + np.arange(_FIRST_DELTA)  # [masks, runs that are no differences]
    whole = whole[whole < runs.ends[:, None]]
    values[whole] = runs.lengths[whole]
    return values


def _numbers(counts: Sequence[bytes]) -> tuple[Ints, Ints] | None:
    """The numbers as written, and where each mask's begin; nothing if they are not written so."""
    sizes = np.array([len(text) for text in counts], np.int64)
    groups = np.frombuffer(b"".join(counts), np.uint8) - np.uint8(_ZERO)  # below '0' wraps around
    if sizes.min() == 0 or groups.max() > _LARGEST:
        return None
    is_last = (groups & _MORE) == 0
    text_ends = np.cumsum(sizes)
    if not is_last[text_ends - 1].all():
        return None
    last = np.flatnonzero(is_last)
    starts = np.concatenate(([0], last[:-1] + 1))
    width = last - starts + 1
    if width.max() > _MAX_GROUPS:
        return None
    values = (groups[starts] & _GROUP).astype(np.int64)
    for group in range(1, int(width.max())):
        has = np.flatnonzero(width > group)
        further = (groups[starts[has] + group] & _GROUP).astype(np.int64)
        values[has] |= further << (_BITS * group)
    negative = ((groups[last] >> (_BITS - 1)) & 1).astype(np.int64)
    values -= negative << (_BITS * width)
    return values, np.searchsorted(starts, text_ends - sizes)


def _undo_differences(values: Ints, first: Ints) -> Ints:
    """Run lengths. A sum that overflows has left the picture before, where it is found.

    Each mask gets an even number of places, so that one running sum over every second place of
    them all serves every mask.
    """
    runs = np.diff(first, append=values.size)
    whole = first[runs >= _FIRST_DELTA]
    values[whole + 2] -= values[whole]  # the third run is no difference to the first
    places = runs + runs % 2
    begins = np.cumsum(places) - places
    slots = np.arange(values.size) + np.repeat(begins - first, runs)
    padded = np.zeros(int(places.sum()) + 2, np.int64)
    padded[slots + 2] = values
    sums = padded.reshape(-1, 2).cumsum(axis=0)  # [pairs + 1, odd and even]; begins with 0, 0
    sums[1:] -= np.repeat(sums[begins // 2], places // 2, axis=0)
    lengths: Ints = sums[1:].reshape(-1)[slots]
    return lengths
