"""Orders that depend on their numbers alone: the same with any library, machine, or thread."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from shards.random import Ints, key_of, permutation

_KEPT = 32
"""Shuffled blocks that are remembered: a little more than there are streams."""


class PassOrder:
    """The order in which one pass goes over a dataset: shards shuffled, and units inside blocks.

    A block is some shards that came to stand side by side. Its units are shuffled among each other,
    so that what is read at about the same time lies in a few files.
    """

    def __init__(self, sizes: Sequence[int] | Ints, key: int, block: int | None) -> None:
        """Decide the order of the shards; blocks are shuffled when they are come to.

        Args:
            sizes: [shards]; units in each shard, in stored order.
            key: of this pass.
            block: shards in a block; None leaves everything in stored order.
        """
        self._sizes = np.asarray(sizes, np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._key, self._block = key, block
        self._order = np.arange(len(self._sizes))
        if block is not None:
            self._order = permutation(len(self._sizes), key_of(key, 0))
        # a block of units that stand where they stood is a shard
        cut = np.arange(0, len(self._sizes), block or 1)
        blocks = np.add.reduceat(self._sizes[self._order], cut) if len(cut) else self._sizes
        self._ends = np.cumsum(blocks)
        self._made: OrderedDict[int, Ints] = OrderedDict()

    def __len__(self) -> int:
        """Units of the dataset."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def at(self, places: Ints) -> Ints:
        """The numbers of the units that stand at some places of this order; any shape."""
        if self._block is None:
            return places
        flat = places.ravel()
        blocks = np.searchsorted(self._ends, flat, side="right")
        numbers = np.empty_like(flat)
        for block in np.unique(blocks):
            here = blocks == block
            start = self._ends[block - 1] if block else 0
            numbers[here] = self._units(int(block))[flat[here] - start]
        return numbers.reshape(places.shape)

    def _units(self, block: int) -> Ints:
        """The units of one block, shuffled."""
        found = self._made.pop(block, None)
        if found is None:
            width = self._block or 1
            shards = self._order[block * width : (block + 1) * width]
            stored = [np.arange(n) + s for s, n in zip(*self._of(shards), strict=True)]
            units = np.concatenate(stored)
            found = units[permutation(len(units), key_of(self._key, 1, block))]
        self._made[block] = found
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return found

    def _of(self, shards: Ints) -> tuple[Ints, Ints]:
        return self._starts[shards], self._sizes[shards]


def segment(places: Ints, count: int, streams: int) -> Ints:
    """Deal the places of a pass out to streams: a bijection of the numbers below `count`.

    Place p goes to stream p % streams, and each stream walks through a stretch of its own, so that
    streams which go side by side read different shards.

    >>> segment(np.arange(7), 7, 3).tolist()
    [0, 3, 5, 1, 4, 6, 2]
    """
    stream = places % streams
    shorter = np.maximum(stream - count % streams, 0)
    start: Ints = stream * -(-count // streams) - (shorter if count % streams else 0)
    return start + places // streams
