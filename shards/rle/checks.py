"""Arguments as the kernels want them. What is wrong with them is the caller's bug: ValueError."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.rle.runs import pixels
from shards.sample import Size

Ints = NDArray[np.int64]


def ints(numbers: Sequence[int] | Ints) -> Ints:
    """The same numbers as 64-bit integers in one piece of memory."""
    return np.require(numbers, np.int64, ("C", "A"))


def group_ends(ends: Sequence[int] | Ints, masks: int) -> Ints:
    """Where groups of so many masks end: sorted, and all masks taken."""
    groups = ints(ends)
    steps = np.diff(groups, prepend=0, append=masks)
    if groups.ndim != 1 or (steps < 0).any() or steps[-1]:
        raise ValueError(f"groups that end at {groups} do not take each of {masks} masks once")
    return groups


def tables(
    size: Size, new: Size, rows: Sequence[int] | Ints, columns: Sequence[int] | Ints
) -> tuple[Ints, Ints]:
    """The tables of a resize: which row, which column; sorted, and none outside the source."""
    pixels(new)
    return _table("row", rows, size.height, new.height), _table(
        "column", columns, size.width, new.width
    )


def _table(what: str, given: Sequence[int] | Ints, old: int, new: int) -> Ints:
    table = ints(given)
    if table.shape != (new,) or table[0] < 0 or table[-1] >= old or (table[1:] < table[:-1]).any():
        raise ValueError(f"a table of {new} {what}s names the {what}s below {old}, in order")
    return table
