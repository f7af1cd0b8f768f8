"""Which sample goes into which batch of which rank. Pure: numbers in, numbers out.

The samples of all ranks' batches, side by side, are the *global batch*. What is in it depends on
the seed, the epoch and its size, never on how many ranks share it: rank r of w takes the r-th of w
equal stretches. So a job that stops on eight ranks goes on with two.

The places of a batch are dealt to *streams* in equal stretches, and each stream walks through
shards of its own: as long as there are no more nodes than streams, every shard is read by about
one node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal, NamedTuple, Protocol

import numpy as np

from shards.errors import LoadError
from shards.load.sampling.shuffle import PassOrder, segment
from shards.random import Ints, key_of

Tail = Literal["drop", "pad"]


class Slots(NamedTuple):
    """What stands at some places of some batches; all arrays are int64 [batches, places].

    Attributes:
        parts: number of the dataset.
        units: number of the unit in it, in stored order.
        passes: how many times the dataset was gone through before.
    """

    parts: Ints
    units: Ints
    passes: Ints


class SamplePlan(Protocol):
    """Batches in order, any of them at any time."""

    @property
    def batch(self) -> int:
        """Places of a global batch."""

    def batches(self, epoch: int) -> int:
        """Batches of an epoch."""

    def slots(self, epoch: int, batches: Sequence[int] | Ints, places: range) -> Slots:
        """What stands at some places of some batches of an epoch."""


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """How samples are put in order.

    Attributes:
        batch: samples of a batch, over all ranks.
        seed: of the shuffling.
        shuffle: False leaves the stored order.
        block: shards among whose samples is shuffled at a time.
        streams: that read side by side from shards of their own; those that a batch can be dealt
            to evenly are used (their greatest common divisor).
        tail: what becomes of the last samples that fill no batch: left out of this epoch, or
            filled up with samples that stood elsewhere in it.
    """

    batch: int
    seed: int = 0
    shuffle: bool = True
    block: int = 2
    streams: int = 8
    tail: Tail = "drop"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            LoadError: naming the value.
        """
        for name in ("batch", "block", "streams"):
            if getattr(self, name) < 1:
                raise LoadError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.tail not in ("drop", "pad"):
            raise LoadError(f"tail is {self.tail!r}; expected 'drop' or 'pad'")

    @property
    def used_streams(self) -> int:
        """Streams that a batch is dealt to evenly; one where the stored order is kept."""
        return gcd(self.batch, self.streams) if self.shuffle else 1

    def start(self, sizes: Ints, part: int, lap: int) -> PassOrder:
        """One pass over one dataset."""
        block = self.block if self.shuffle else None
        return PassOrder(sizes, key_of(self.seed, part, lap), block)


def dealt(order: SampleOrder, batches: Sequence[int] | Ints, places: range) -> tuple[Ints, Ints]:
    """(stream, turn of that stream) for places of batches, each int64 [batches, places].

    In each batch a stream has as many turns as the others, side by side.
    """
    width = order.batch // order.used_streams
    number = np.asarray(batches, np.int64)[:, None]
    place = np.arange(places.start, places.stop, dtype=np.int64)[None, :]
    stream = np.broadcast_to(place // width, (len(number), len(places)))
    return stream, number * width + place % width


class EpochPlan:
    """One dataset, every unit once per epoch."""

    def __init__(self, sizes: Sequence[int] | Ints, order: SampleOrder) -> None:
        """Plan.

        Args:
            sizes: [shards]; units in each shard.
            order: how.

        Raises:
            LoadError: if there is nothing to give.
        """
        self._sizes = np.asarray(sizes, np.int64)
        self._count = int(self._sizes.sum())
        self._order = order
        self._pass: tuple[int, PassOrder] | None = None
        if not self._count:
            raise LoadError("there is no sample to load")
        if not self.batches(0):
            raise LoadError(
                f"{self._count} samples fill no batch of {order.batch} (over all ranks); "
                f"take a smaller batch, or tail='pad'"
            )

    @property
    def batch(self) -> int:
        """Places of a global batch."""
        return self._order.batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs are as long
        """Batches of an epoch."""
        whole, rest = divmod(self._count, self._order.batch)
        return whole + bool(rest and self._order.tail == "pad")

    @property
    def left_over(self) -> int:
        """Units that an epoch leaves out (negative: places filled up with others)."""
        return self._count - self.batches(0) * self._order.batch

    def slots(self, epoch: int, batches: Sequence[int] | Ints, places: range) -> Slots:
        """What stands at some places of some batches of an epoch."""
        streams = self._order.used_streams
        stream, turn = dealt(self._order, batches, places)
        place = (turn * streams + stream) % self._count
        units = self._going(epoch).at(segment(place, self._count, streams))
        return Slots(np.zeros_like(units), units, np.full_like(units, epoch))

    def _going(self, epoch: int) -> PassOrder:
        if self._pass is None or self._pass[0] != epoch:
            self._pass = epoch, self._order.start(self._sizes, 0, epoch)
        return self._pass[1]


def rank_slice(batch: int, rank: int, world: int) -> range:
    """The places of a rank in a global batch.

    Raises:
        LoadError: if the ranks cannot have equally many, or there is no such rank.
    """
    if not 0 <= rank < world:
        raise LoadError(f"rank {rank} of {world}: ranks are numbered from 0")
    if batch % world:
        raise LoadError(
            f"a batch of {batch} samples cannot be shared by {world} ranks evenly: take a number "
            f"of ranks that divides {batch}"
        )
    each = batch // world
    return range(rank * each, (rank + 1) * each)
