"""Where samples are: rows of the index, looked at in the mapped file as they are needed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shards.load.shuffle import Ints

_COLUMNS = ("shard", "offset", "size", "checksum", "height", "width")
_SHARD_BITS = 32


class Places(NamedTuple):
    """Where samples are, one entry of each array for one unit.

    Attributes:
        rows: int64; number of the sample in its split.
        which: int64; number of the unit in its sample; -1 where samples are not expanded.
        shards: int64; number of the shard.
        offsets: int64; of the sample in its tar.
        sizes: int64; bytes of the sample in its tar.
        checksums: uint64; xxh3 of these.
        heights: int64; of the stored photo.
        widths: int64.
    """

    rows: Ints
    which: Ints
    shards: Ints
    offsets: Ints
    sizes: Ints
    checksums: NDArray[np.uint64]
    heights: Ints
    widths: Ints


def shard_keys(parts: Ints, shards: Ints) -> Ints:
    """One number for a split's number and a shard's in it; the same shape."""
    return parts << _SHARD_BITS | shards


def part_and_shard(key: int) -> tuple[int, int]:
    """What a key was made of."""
    return divmod(key, 1 << _SHARD_BITS)


class StoredPlaces:
    """Where a split's samples are, in the mapped index; batches of a table are separate arrays."""

    def __init__(self, rows: pa.Table) -> None:
        """Copy nothing.

        Args:
            rows: of `shards.index.samples`.
        """
        chunks = {name: rows.column(name).chunks for name in _COLUMNS}
        self._views: list[list[NDArray[np.generic]]] = [
            [_view(chunk) for chunk in chunks[name]] for name in _COLUMNS
        ]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks[_COLUMNS[0]])])

    def find(self, rows: Ints, which: Ints) -> Places:
        """Where some rows are, each with the number of the unit in its sample; int64 [n]."""
        shard, offset, size, checksum, height, width = self._take(rows)
        return Places(
            rows=rows,
            which=which,
            shards=shard.astype(np.int64),
            offsets=offset.astype(np.int64),
            sizes=size.astype(np.int64),
            checksums=checksum.astype(np.uint64),
            heights=height.astype(np.int64),
            widths=width.astype(np.int64),
        )

    def _take(self, rows: Ints) -> Sequence[NDArray[np.generic]]:
        chunk = np.searchsorted(self._starts, rows, side="right") - 1
        inside = rows - self._starts[chunk]
        numbers = np.unique(chunk)
        if len(numbers) == 1:
            return [views[numbers[0]][inside] for views in self._views]
        found = [np.empty(len(rows), views[0].dtype) for views in self._views]
        for number in numbers:
            here = np.flatnonzero(chunk == number)
            for out, views in zip(found, self._views, strict=True):
                out[here] = views[number][inside[here]]
        return found


def _view(chunk: pa.Array) -> NDArray[np.generic]:
    """Numbers of a column where they are; pyarrow's own way imports pandas where there is one."""
    kind = np.dtype(chunk.type.to_pandas_dtype())
    start = chunk.offset * kind.itemsize
    found: NDArray[np.generic] = np.frombuffer(chunk.buffers()[1], kind, len(chunk), start)
    return found
