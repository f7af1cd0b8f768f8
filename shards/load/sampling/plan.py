"""Which example goes into which batch of which rank: the plan of one dataset. Pure.

The batches of all ranks, side by side, form the *global batch*. The seed, the epoch and its size
decide what is in it, never the number of ranks: rank r of w takes the r-th of w equal slices. So a
job that stops on eight ranks can resume on two.

Equal slices of a batch go to *streams*, and each stream walks through its own shards: as long as
there are no more nodes than streams, about one node reads each shard.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal, NamedTuple, Protocol

import numpy as np

from shards.errors import LoadError
from shards.random import Ints, key_of, permutation

Tail = Literal["drop", "pad"]


class Slots(NamedTuple):
    """What is at some positions of some batches; all arrays are int64 [batches, positions].

    Attributes:
        dataset_indices: which dataset.
        examples: number of the example in its dataset, in stored order.
        passes: number of complete passes over the dataset before this one.
    """

    dataset_indices: Ints
    examples: Ints
    passes: Ints


class SamplePlan(Protocol):
    """Batches in order, any of them at any time."""

    @property
    def batch(self) -> int:
        """Examples in a global batch."""

    def batches(self, epoch: int) -> int:
        """Batches in an epoch."""

    def slots(self, epoch: int, batches: Sequence[int] | Ints, positions: range) -> Slots:
        """What is at some positions of some batches of an epoch."""


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """How examples are ordered.

    Attributes:
        batch: examples in a global batch, over all ranks.
        seed: of the shuffling.
        shuffle: False keeps the stored order.
        block: number of shards whose examples are shuffled together.
        streams: number of streams that read side by side, each from its own shards. A batch must
            divide evenly among them: their greatest common divisor with `batch` is used.
        tail: what happens to examples at the end that do not fill a batch: `drop` leaves them out
            of this epoch, `pad` fills the batch with examples that came earlier in it.
    """

    batch: int
    seed: int = 0
    shuffle: bool = True
    block: int = 2
    streams: int = 8
    tail: Tail = "drop"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            LoadError: naming the value that is out of range.
        """
        for name in ("batch", "block", "streams"):
            if getattr(self, name) < 1:
                raise LoadError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.tail not in ("drop", "pad"):
            raise LoadError(f"tail is {self.tail!r}; expected 'drop' or 'pad'")

    @property
    def used_streams(self) -> int:
        """Streams that a batch divides evenly among; one if the stored order is kept."""
        return gcd(self.batch, self.streams) if self.shuffle else 1

    def start(self, sizes: Ints, dataset_index: int, pass_number: int) -> "PassOrder":
        """The order of one pass over one dataset."""
        block = self.block if self.shuffle else None
        return PassOrder(sizes, key_of(self.seed, dataset_index, pass_number), block)


def stream_turns(
    order: SampleOrder, batches: Sequence[int] | Ints, positions: range
) -> tuple[Ints, Ints]:
    """(stream, turn of that stream) at positions of batches, each int64 [batches, positions].

    In each batch, every stream has the same number of turns, side by side.
    """
    width = order.batch // order.used_streams
    number = np.asarray(batches, np.int64)[:, None]
    position = np.arange(positions.start, positions.stop, dtype=np.int64)[None, :]
    stream = np.broadcast_to(position // width, (len(number), len(positions)))
    return stream, number * width + position % width


class EpochPlan:
    """The plan of one dataset: every example once per epoch."""

    def __init__(self, sizes: Sequence[int] | Ints, order: SampleOrder) -> None:
        """Plan.

        Args:
            sizes: [shards]; examples in each shard.
            order: how to order them.

        Raises:
            LoadError: if there is no example, or there are too few to fill a batch.
        """
        self._sizes = np.asarray(sizes, np.int64)
        self._count = int(self._sizes.sum())
        self._order = order
        self._pass: tuple[int, PassOrder] | None = None
        if not self._count:
            raise LoadError("there is no sample to load")
        if not self.batches(0):
            raise LoadError(
                f"{self._count} samples do not fill a batch of {order.batch} (over all ranks); "
                f"take a smaller batch, or tail='pad'"
            )

    @property
    def batch(self) -> int:
        """Examples in a global batch."""
        return self._order.batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs have the same length
        """Batches in an epoch."""
        whole, rest = divmod(self._count, self._order.batch)
        return whole + bool(rest and self._order.tail == "pad")

    @property
    def left_over(self) -> int:
        """Examples that an epoch leaves out; negative: positions that it fills a second time."""
        return self._count - self.batches(0) * self._order.batch

    def slots(self, epoch: int, batches: Sequence[int] | Ints, positions: range) -> Slots:
        """What is at some positions of some batches of an epoch."""
        streams = self._order.used_streams
        stream, turn = stream_turns(self._order, batches, positions)
        number = (turn * streams + stream) % self._count
        examples = self._order_of(epoch).at(deal_to_streams(number, self._count, streams))
        return Slots(np.zeros_like(examples), examples, np.full_like(examples, epoch))

    def _order_of(self, epoch: int) -> "PassOrder":
        if self._pass is None or self._pass[0] != epoch:
            self._pass = epoch, self._order.start(self._sizes, 0, epoch)
        return self._pass[1]


def rank_slice(batch: int, rank: int, world_size: int) -> range:
    """The positions of a rank in a global batch.

    Raises:
        LoadError: if the batch does not divide evenly among the ranks, or there is no such rank.

    >>> rank_slice(12, 1, 3)
    range(4, 8)
    """
    if not 0 <= rank < world_size:
        raise LoadError(f"rank {rank} of {world_size}: ranks are numbered from 0")
    if batch % world_size:
        raise LoadError(
            f"a batch of {batch} samples cannot be shared by {world_size} ranks evenly: take a "
            f"number of ranks that divides {batch}"
        )
    each = batch // world_size
    return range(rank * each, (rank + 1) * each)


_CACHED_BLOCKS = 32
"""Shuffled blocks that are cached: a little more than there are streams."""


class PassOrder:
    """The order of one pass over a dataset: shards are shuffled, then examples within blocks.

    A block is some shards that are adjacent after the shuffle. The examples of a block are shuffled
    together, so that what is read at about the same time lies in few files.
    """

    def __init__(self, sizes: Sequence[int] | Ints, key: int, block: int | None) -> None:
        """Shuffle the shards; each block is shuffled when it is first needed.

        Args:
            sizes: [shards]; examples in each shard, in stored order.
            key: of this pass.
            block: shards in a block; None keeps everything in stored order.
        """
        self._sizes = np.asarray(sizes, np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._key, self._block = key, block
        self._order = np.arange(len(self._sizes))
        if block is not None:
            self._order = permutation(len(self._sizes), key_of(key, 0))
        # In stored order, a block is one shard.
        first = np.arange(0, len(self._sizes), block or 1)
        blocks = np.add.reduceat(self._sizes[self._order], first) if len(first) else self._sizes
        self._ends = np.cumsum(blocks)
        self._cached: OrderedDict[int, Ints] = OrderedDict()

    def __len__(self) -> int:
        """Examples in the dataset."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def at(self, positions: Ints) -> Ints:
        """The numbers of the examples at some positions of this order; any shape."""
        if self._block is None:
            return positions
        flat = positions.ravel()
        blocks = np.searchsorted(self._ends, flat, side="right")
        numbers = np.empty_like(flat)
        for block in np.unique(blocks):
            here = blocks == block
            start = self._ends[block - 1] if block else 0
            numbers[here] = self._examples(int(block))[flat[here] - start]
        return numbers.reshape(positions.shape)

    def _examples(self, block: int) -> Ints:
        """The examples of one block, shuffled."""
        examples = self._cached.pop(block, None)
        if examples is None:
            width = self._block or 1
            shards = self._order[block * width : (block + 1) * width]
            pairs = zip(self._starts[shards], self._sizes[shards], strict=True)
            stored = np.concatenate([np.arange(size) + start for start, size in pairs])
            examples = stored[permutation(len(stored), key_of(self._key, 1, block))]
        self._cached[block] = examples
        if len(self._cached) > _CACHED_BLOCKS:
            self._cached.popitem(last=False)
        return examples


def deal_to_streams(numbers: Ints, count: int, streams: int) -> Ints:
    """Positions in a pass, dealt out to streams in turn: a bijection of the numbers below `count`.

    Number n belongs to stream n % streams. Each stream walks through its own contiguous stretch, so
    that streams which run side by side read different shards.

    >>> deal_to_streams(np.arange(7), 7, 3).tolist()
    [0, 3, 5, 1, 4, 6, 2]
    """
    stream = numbers % streams
    shorter = np.maximum(stream - count % streams, 0)
    start: Ints = stream * -(-count // streams) - (shorter if count % streams else 0)
    return start + numbers // streams
