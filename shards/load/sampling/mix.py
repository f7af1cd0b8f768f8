"""Several datasets in exact shares: the plan of a mixture. Pure, as `shards.load.sampling.plan`."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shards.errors import LoadError
from shards.load.sampling.plan import SampleOrder, SamplePlan, Slots, dealt
from shards.load.sampling.shuffle import PassOrder, segment
from shards.random import Ints, key_of, keys_of

LONGEST = 50_000
"""Turns after which a pattern begins anew, at the most; shares are rounded to such parts."""


class Pattern:
    """Turns of several datasets, periodic.

    Attributes:
        turns: int16 [period]; whose turn it is.
        before: int64 [period + 1, datasets]; how many turns each had before that one.
    """

    def __init__(self, shares: Sequence[Fraction]) -> None:
        """Lay out one period.

        Args:
            shares: of each dataset, positive; they need not sum to one.
        """
        parts = whole_parts(shares)
        self.turns = _take_turns(parts)
        had = self.turns[:, None] == np.arange(len(parts))
        self.before = np.zeros((len(self.turns) + 1, len(parts)), np.int64)
        np.cumsum(had, axis=0, out=self.before[1:])

    def __len__(self) -> int:
        """Turns of a period."""
        return len(self.turns)

    def counts(self, turns: int) -> NDArray[np.int64]:
        """How many of the first turns are of each dataset: int64 [datasets]."""
        periods, rest = divmod(turns, len(self.turns))
        counted: NDArray[np.int64] = periods * self.before[-1] + self.before[rest]
        return counted


def whole_parts(shares: Sequence[Fraction]) -> list[int]:
    """The shares as whole numbers of one sum, which is at most `LONGEST`.

    >>> whole_parts([Fraction(45, 100), Fraction(2, 5), Fraction(3, 20)])
    [9, 8, 3]
    """
    whole = sum(shares, Fraction(0))
    exact = [share / whole for share in shares]
    period = lcm(*(share.denominator for share in exact))
    if period <= LONGEST:
        return [int(share * period) for share in exact]
    down = [max(1, int(share * LONGEST)) for share in exact]
    # what is missing goes to those who lost most by rounding
    lost = [share * LONGEST - part for share, part in zip(exact, down, strict=True)]
    for number in sorted(range(len(lost)), key=lambda n: -lost[n])[: max(0, LONGEST - sum(down))]:
        down[number] += 1
    return down


def _take_turns(parts: Sequence[int]) -> NDArray[np.int16]:
    """Everyone's turns in a period of `sum(parts)`, none ever a whole turn ahead or behind.

    Tijdeman, "The chairman assignment problem", 1980: of those who are behind enough, whoever must
    have a turn first. With n datasets the distance is at most 1 - 1 / (2n - 2) at any moment.
    """
    weights = np.asarray(parts, np.int64)
    period, slack = int(weights.sum()), max(1, 2 * len(parts) - 2)
    turns = np.zeros(period, np.int16)
    if len(parts) == 1:
        return turns
    had = np.zeros(len(parts), np.int64)
    for number in range(period):
        # behind and due are in units of 1 / (slack * period), to stay whole
        behind = slack * (weights * (number + 1) - had * period)
        due = ((slack - 1) * period - behind) / weights
        due[behind < period] = np.inf
        turn = int(np.argmin(due))
        turns[number] = turn
        had[turn] += 1
    return turns


class GroupedPlan:
    """Plans that take turns, a whole batch each; in exact shares, never a whole batch off.

    Datasets are numbered on from plan to plan. Each plan goes on where it was: it must have no end.
    """

    def __init__(
        self,
        plans: Sequence[SamplePlan],
        datasets: Sequence[int],
        shares: Sequence[Fraction],
        epoch_batches: int,
    ) -> None:
        """Plan.

        Args:
            plans: with batches of one size.
            datasets: how many each has.
            shares: of the batches.
            epoch_batches: batches of an epoch.

        Raises:
            LoadError: if the batches differ in size, or an epoch has none.
        """
        if len({plan.batch for plan in plans}) != 1:
            raise LoadError(f"batches of {[plan.batch for plan in plans]} samples cannot mix")
        if epoch_batches < 1:
            raise LoadError(f"an epoch of {epoch_batches} batches; expected at least 1")
        self._plans = plans
        self._first = np.cumsum([0, *datasets])[:-1]
        self._pattern = Pattern(shares)
        self._batches = epoch_batches

    @property
    def batch(self) -> int:
        """Places of a global batch."""
        return self._plans[0].batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs are as long
        """Batches of an epoch."""
        return self._batches

    def slots(self, epoch: int, batches: Sequence[int] | Ints, places: range) -> Slots:
        """What stands at some places of some batches of an epoch."""
        number = np.asarray(batches, np.int64) + epoch * self._batches
        periods, turn = np.divmod(number, len(self._pattern))
        whose = self._pattern.turns[turn]
        before = periods[:, None] * self._pattern.before[-1] + self._pattern.before[turn]
        found = Slots(*(np.empty((len(number), len(places)), np.int64) for _ in Slots._fields))
        for group in np.unique(whose):
            here = np.flatnonzero(whose == group)
            some = self._plans[group].slots(0, before[here, group], places)
            for column, values in zip(found, some, strict=True):
                column[here] = values
            found.parts[here] += self._first[group]
        return found


AtEnd = Literal["restart", "stop"]
_KEPT = 4
"""Passes of a dataset that are remembered: streams end one at about the same time."""


class MixturePlan:
    """Datasets by shares. Every stream takes them in the same pattern, each from another turn on.

    At any moment a stream is less than one sample away from the exact shares, and over any stretch
    less than two.
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[int] | Ints],
        shares: Sequence[Fraction],
        order: SampleOrder,
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
        self._passes: OrderedDict[tuple[int, int], PassOrder] = OrderedDict()
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

    def _going(self, part: int, lap: int) -> PassOrder:
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
