"""COCO's counts <-> runs, for all masks at once, on numpy alone.

The compressed encoding (cocodataset/cocoapi, common/maskApi.c, rleToString): run lengths of 0s and
1s in turn, column-major, beginning with 0s. From the fourth on, a run is stored as its difference
to the run two before. A number is cut into 5-bit groups, lowest first, two's complement; bit 5 says
that more follow; 48 is added to make it printable.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from shards.rle.numpy_edges import IntArray, Lengths, LengthsEnds, Masks, masks_of, to_runs

_ZERO = 48
_LARGEST = 0x3F
_MORE = 0x20
_GROUP = 0x1F
_BITS = 5
_MAX_GROUPS = 7
_FIRST_DELTA = 3


def decode_counts(counts: Sequence[bytes], size: tuple[int, int]) -> LengthsEnds | None:
    """See `shards.rle.decode_counts`; None if the counts of a mask are wrong."""
    if not counts:
        return np.zeros(0, np.uint32), np.zeros(0, np.int64)
    numbers = _numbers(counts)
    if numbers is None:
        return None
    values, first = numbers
    lengths, area = _undo_differences(values, first), size[0] * size[1]
    # Each run first: the sums could overflow and look right.
    if lengths.min() < 0 or lengths.max() > area or (np.add.reduceat(lengths, first) != area).any():
        return None
    return merge_empty(lengths, first, area)


def merge_empty(lengths: IntArray, first: IntArray, area: int) -> LengthsEnds:
    """(lengths, ends) without empty runs in the middle, which some writers leave behind.

    Args:
        lengths: int64 [runs] of all masks; each mask covers the area.
        first: int64 [masks]; where each begins.
        area: pixels of each mask.
    """
    ends = np.append(first[1:], lengths.size).astype(np.int64)
    empty = lengths == 0
    empty[first] = False
    if not empty.any():
        return lengths.astype(np.uint32), ends
    return to_runs(np.cumsum(lengths) + masks_of(ends), ends.size, area)


def encode_counts(masks: Masks) -> list[bytes]:
    """See `shards.rle.encode_counts`."""
    lengths, ends, _, _ = masks
    if not ends.size:
        return []
    values = _differences(lengths, ends)
    groups = np.ones(values.size, np.int64)
    for bits in range(_BITS, _BITS * _MAX_GROUPS, _BITS):
        longer = (values + (1 << (bits - 1))) >> bits != 0
        if not longer.any():
            break
        groups += longer
    group_ends = np.cumsum(groups)
    starts = group_ends - groups
    text = np.zeros(group_ends[-1], np.uint8)
    for group in range(int(groups.max())):
        has = np.flatnonzero(groups > group)
        more = np.where(groups[has] > group + 1, _MORE, 0)
        text[starts[has] + group] = ((values[has] >> (_BITS * group)) & _GROUP) + more + _ZERO
    whole = text.tobytes()
    cuts = [0, *group_ends[ends - 1].tolist()]
    return [whole[start:end] for start, end in pairwise(cuts)]


def _differences(lengths: Lengths, ends: IntArray) -> IntArray:
    values = lengths.astype(np.int64)
    values[_FIRST_DELTA:] -= lengths[_FIRST_DELTA - 2 : -2]
    first = np.concatenate(([0], ends[:-1]))
    plain = first[:, None] + np.arange(_FIRST_DELTA)  # [masks, runs that are not differences]
    plain = plain[plain < ends[:, None]]
    values[plain] = lengths[plain]
    return values


def _numbers(counts: Sequence[bytes]) -> tuple[IntArray, IntArray] | None:
    """(values as written, index of each mask's first); None if the bytes are not counts."""
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


def _undo_differences(values: IntArray, first: IntArray) -> IntArray:
    """Run lengths. If a sum overflows, an earlier one has left the picture: the caller sees that.

    Each mask is padded to an even number of slots, so that one running sum over every second slot
    serves all masks.
    """
    runs = np.diff(first, append=values.size)
    longer = first[runs >= _FIRST_DELTA]
    values[longer + 2] -= values[longer]  # the third run is no difference to the first
    even = runs + runs % 2
    begins = np.cumsum(even) - even
    slots = np.arange(values.size) + np.repeat(begins - first, runs)
    padded = np.zeros(int(even.sum()) + 2, np.int64)
    padded[slots + 2] = values
    sums = padded.reshape(-1, 2).cumsum(axis=0)  # [pairs + 1, odd and even]; begins with 0, 0
    sums[1:] -= np.repeat(sums[begins // 2], even // 2, axis=0)
    lengths: IntArray = sums[1:].reshape(-1)[slots]
    return lengths
