"""Several datasets in exact shares: the plan of a mixture. Pure, as `shards.load.plan`."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

from shards.errors import LoadError
from shards.load.pattern import Pattern
from shards.load.plan import Order, Slots, dealt
from shards.load.shuffle import Ints, Pass, key_of, keys_of, segment

AtEnd = Literal["restart", "stop"]
_KEPT = 4
"""Passes of a dataset that are remembered: streams end one at about the same time."""


class MixPlan:
    """Datasets by shares. Every stream takes them in the same pattern, each from another turn on.

    At any moment a stream is less than one sample away from the exact shares, and over any stretch
    less than two.
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[int] | Ints],
        shares: Sequence[Fraction],
        order: Order,
        *,
        epoch_batches: int | None = None,
        at_end: AtEnd = "restart",
    ) -> None:
        """Plan.

        Args:
            sizes: of each dataset, [shards]: units in each shard.
            shares: of each dataset.
            order: how each is put in order.
            epoch_batches: batches of an epoch. By default as many as all units together fill; and
                where the first dataset that ends ends it, as many as that gives.
            at_end: of a dataset: it begins anew, in another order; or the epoch ends.

        Raises:
            LoadError: if a dataset has nothing to give, or an epoch no batch.
        """
        self._sizes = [np.asarray(each, np.int64) for each in sizes]
        self._counts = np.array([each.sum() for each in self._sizes], np.int64)
        if not len(self._counts) or not self._counts.all():
            raise LoadError(f"a dataset of the mixture has no sample: {self._counts.tolist()}")
        self._order, self._at_end = order, at_end
        self._pattern = Pattern(shares)
        self._passes: OrderedDict[tuple[int, int], Pass] = OrderedDict()
        streams = order.used_streams
        self._first = np.arange(streams) * len(self._pattern) // streams
        self._had = self._pattern.before[self._first]
        whole = int(self._counts.sum()) // order.batch
        if at_end == "stop":
            longest = self._batches_to_end()
            self._batches = longest if epoch_batches is None else min(longest, epoch_batches)
        else:
            self._batches = whole if epoch_batches is None else epoch_batches
        if self._batches < 1:
            raise LoadError(
                f"an epoch has no batch of {order.batch} (over all ranks): the datasets have "
                f"{self._counts.tolist()} samples"
            )

    @property
    def batch(self) -> int:
        """Places of a global batch."""
        return self._order.batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs are as long
        """Batches of an epoch."""
        return self._batches

    def slots(self, epoch: int, batches: Sequence[int] | Ints, places: range) -> Slots:
        """What stands at some places of some batches of an epoch.

        Where datasets begin anew, an epoch goes on where the last one stopped.
        """
        restart = self._at_end == "restart"
        shift = epoch * self._batches if restart else 0
        touched = self._whole_stretches(places)
        stream, turn = dealt(self._order, np.asarray(batches, np.int64) + shift, touched)
        turn = self._mixed(stream, turn)
        own = slice(places.start - touched.start, places.stop - touched.start)
        stream, turn = stream[:, own], turn[:, own]
        parts, drawn = self._drawn(stream, turn)
        units, passes = np.empty_like(drawn), np.empty_like(drawn)
        for part in np.unique(parts):
            here = parts == part
            lap, place = np.divmod(drawn[here], self._counts[part])
            passes[here] = lap + (0 if restart else epoch)
            units[here] = self._units(int(part), passes[here], place)
        return Slots(parts, units, passes)

    def _whole_stretches(self, places: range) -> range:
        """The places of all streams that some places touch."""
        width = self._order.batch // self._order.used_streams
        return range(places.start // width * width, -(-places.stop // width) * width)

    def _mixed(self, stream: Ints, turn: Ints) -> Ints:
        """The turns of each stream inside a batch, in an order of chance.

        The pattern has a period: without this, a rank might always be given the same dataset.
        """
        if not self._order.shuffle:
            return turn
        width = self._order.batch // self._order.used_streams
        chance = keys_of(key_of(self._order.seed, -1), turn * len(self._first) + stream)
        inside = np.argsort(chance.reshape(len(turn), -1, width), axis=2)
        mixed: Ints = np.take_along_axis(turn.reshape(inside.shape), inside, 2).reshape(turn.shape)
        return mixed

    def _drawn(self, stream: Ints, turn: Ints) -> tuple[Ints, Ints]:
        """(dataset, number of the draw from it over all streams) at each turn."""
        periods, place = np.divmod(self._first[stream] + turn, len(self._pattern))
        parts = self._pattern.turns[place].astype(np.int64)
        each = periods * self._pattern.before[-1][parts] + self._pattern.before[place, parts]
        own = each - self._had[stream, parts]
        return parts, own * len(self._first) + stream

    def _units(self, part: int, passes: Ints, places: Ints) -> Ints:
        count, streams = int(self._counts[part]), len(self._first)
        units = np.empty_like(places)
        for lap in np.unique(passes):
            here = passes == lap
            going = self._going(part, int(lap))
            units[here] = going.at(segment(places[here], count, streams))
        return units

    def _going(self, part: int, lap: int) -> Pass:
        found = self._passes.pop((part, lap), None)
        found = found or self._order.start(self._sizes[part], part, lap)
        self._passes[part, lap] = found
        if len(self._passes) > _KEPT * len(self._sizes):
            self._passes.popitem(last=False)
        return found

    def _batches_to_end(self) -> int:
        """Batches until some dataset has nothing left that was not given yet."""
        streams, width = len(self._first), self._order.batch // len(self._first)

        def exceeds(batches: int) -> int:
            turns = self._first + batches * width
            had = np.array([self._pattern.counts(int(t)) for t in turns]) - self._had
            last = (had - 1) * streams + np.arange(streams)[:, None]
            return int(((had > 0) & (last >= self._counts)).any())

        most = int(self._counts.sum()) // self._order.batch + 2
        return bisect_left(range(1, most), 1, key=exceeds)
