"""The compiled kernel: `_rle.c`, with numpy arrays around it. The same functions as `plain`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.rle.complaint import refusal
from shards.rle.runs import Runs, pixels, turned
from shards.sample import Size

try:
    from shards.rle import _rle
except ImportError:
    BUILT = False
else:
    BUILT = True

Ints = NDArray[np.int64]


def parse(counts: Sequence[bytes], size: Size) -> Runs:
    """See `shards.rle.parse`."""
    pixels(size)
    made = _rle.parse(tuple(counts), size.height, size.width)
    if isinstance(made, int):
        raise refusal(counts, size)
    return _runs(size, made)


def write(runs: Runs) -> list[bytes]:
    """See `shards.rle.write`."""
    return _rle.write(*_buffers(runs))


def union(runs: Runs, groups: Ints) -> Runs:
    """See `shards.rle.union`."""
    return _runs(runs.size, _rle.union(*_buffers(runs), groups))


def resize(runs: Runs, rows: Ints, columns: Ints) -> Runs:
    """See `shards.rle.resize`."""
    new = Size(rows.size, columns.size)
    return _runs(new, _rle.resize(*_buffers(runs), rows, columns))


def turn(runs: Runs, orientation: int) -> Runs:
    """See `shards.rle.turn`."""
    return _runs(turned(runs.size, orientation), _rle.turn(*_buffers(runs), orientation))


def boxes(runs: Runs) -> NDArray[np.float64]:
    """See `shards.rle.boxes`."""
    return np.frombuffer(_rle.boxes(*_buffers(runs)), np.float64).reshape(-1, 4)


def paint(runs: Runs, out: NDArray[np.uint8], chosen: Ints) -> None:
    """See `shards.rle.paint`."""
    _rle.paint(*_buffers(runs), chosen, out)


def trace(masks: NDArray[np.bool_]) -> Runs:
    """See `shards.rle.trace`."""
    return _runs(Size(*masks.shape[1:]), _rle.trace(masks))


def reduce(
    counts: Sequence[bytes], groups: Ints, size: Size, rows: Ints, columns: Ints
) -> list[bytes]:
    """See `shards.rle.reduce`."""
    pixels(size)
    texts = _rle.reduce(tuple(counts), groups, size.height, size.width, rows, columns)
    if isinstance(texts, int):
        raise refusal(counts, size)
    return texts


def _runs(size: Size, made: tuple[bytes, bytes]) -> Runs:
    lengths, ends = made
    return Runs(size, np.frombuffer(lengths, np.uint32), np.frombuffer(ends, np.int64))


def _buffers(runs: Runs) -> tuple[NDArray[np.uint32], Ints, int, int]:
    lengths = np.require(runs.lengths, np.uint32, ("C", "A"))
    return lengths, np.require(runs.ends, np.int64, ("C", "A")), runs.size.height, runs.size.width
