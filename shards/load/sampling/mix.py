"""The plan of a mixture: several datasets in exact shares. Pure, as `shards.load.sampling.plan`."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shards.errors import LoadError
from shards.load.sampling.plan import (
    PassOrder,
    SampleOrder,
    SamplePlan,
    Slots,
    deal_to_streams,
    stream_turns,
)
from shards.random import Ints, key_of, keys_of

LONGEST = 50_000
"""Longest period of a pattern, in turns; shares that need a longer one are rounded to it."""


class Pattern:
    """The turns of several datasets, periodic.

    Attributes:
        turns: int16 [period]; index of the dataset whose turn it is.
        before: int64 [period + 1, datasets]; number of turns of each dataset before that turn.
    """

    def __init__(self, shares: Sequence[Fraction]) -> None:
        """Compute one period.

        Args:
            shares: of each dataset, positive; they need not sum to one.
        """
        parts = whole_parts(shares)
        self.turns = _take_turns(parts)
        is_turn = self.turns[:, None] == np.arange(len(parts))
        self.before = np.zeros((len(self.turns) + 1, len(parts)), np.int64)
        np.cumsum(is_turn, axis=0, out=self.before[1:])

    def __len__(self) -> int:
        """Turns in a period."""
        return len(self.turns)

    def counts(self, turns: int) -> NDArray[np.int64]:
        """How many of the first turns each dataset has: int64 [datasets]."""
        periods, rest = divmod(turns, len(self.turns))
        counted: NDArray[np.int64] = periods * self.before[-1] + self.before[rest]
        return counted


def whole_parts(shares: Sequence[Fraction]) -> list[int]:
    """The shares as whole numbers whose sum is at most `LONGEST`.

    >>> whole_parts([Fraction(45, 100), Fraction(2, 5), Fraction(3, 20)])
    [9, 8, 3]
    """
    whole = sum(shares, Fraction(0))
    exact = [share / whole for share in shares]
    period = lcm(*(share.denominator for share in exact))
    if period <= LONGEST:
        return [int(share * period) for share in exact]
    down = [max(1, int(share * LONGEST)) for share in exact]
    # The remainder goes to those that rounding down cost most.
    lost = [share * LONGEST - part for share, part in zip(exact, down, strict=True)]
    for number in sorted(range(len(lost)), key=lambda n: -lost[n])[: max(0, LONGEST - sum(down))]:
        down[number] += 1
    return down


def _take_turns(parts: Sequence[int]) -> NDArray[np.int16]:
    """The turns of a period of `sum(parts)`, none ever a whole turn ahead or behind.

    Tijdeman, "The chairman assignment problem", 1980: of the datasets that are far enough behind,
    the one whose turn is due first is next. With n datasets, no dataset is ever more than
    1 - 1 / (2n - 2) turns off.
    """
    weights = np.asarray(parts, np.int64)
    period, slack = int(weights.sum()), max(1, 2 * len(parts) - 2)
    turns = np.zeros(period, np.int16)
    if len(parts) == 1:
        return turns
    taken = np.zeros(len(parts), np.int64)
    for number in range(period):
        # `behind` and `due` are in units of 1 / (slack * period), so that they stay integers.
        behind = slack * (weights * (number + 1) - taken * period)
        due = ((slack - 1) * period - behind) / weights
        due[behind < period] = np.inf
        turn = int(np.argmin(due))
        turns[number] = turn
        taken[turn] += 1
    return turns


class GroupedPlan:
    """Plans that take turns, a whole batch each, in exact shares: never a whole batch off.

    Dataset indices continue from plan to plan. Each plan continues where it was: it must not end.
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
            datasets: number of datasets of each plan.
            shares: of the batches.
            epoch_batches: batches in an epoch.

        Raises:
            LoadError: if the batches differ in size, or an epoch has none.
        """
        if len({plan.batch for plan in plans}) != 1:
            raise LoadError(
                f"the groups have batches of {[plan.batch for plan in plans]} samples; expected "
                f"one size"
            )
        if epoch_batches < 1:
            raise LoadError(f"an epoch of {epoch_batches} batches; expected at least 1")
        self._plans = plans
        self._first = np.cumsum([0, *datasets])[:-1]
        self._pattern = Pattern(shares)
        self._batches = epoch_batches

    @property
    def batch(self) -> int:
        """Examples in a global batch."""
        return self._plans[0].batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs have the same length
        """Batches in an epoch."""
        return self._batches

    def slots(self, epoch: int, batches: Sequence[int] | Ints, positions: range) -> Slots:
        """What is at some positions of some batches of an epoch."""
        number = np.asarray(batches, np.int64) + epoch * self._batches
        periods, turn = np.divmod(number, len(self._pattern))
        groups = self._pattern.turns[turn]
        before = periods[:, None] * self._pattern.before[-1] + self._pattern.before[turn]
        slots = Slots(*(np.empty((len(number), len(positions)), np.int64) for _ in Slots._fields))
        for group in np.unique(groups):
            here = np.flatnonzero(groups == group)
            some = self._plans[group].slots(0, before[here, group], positions)
            for column, values in zip(slots, some, strict=True):
                column[here] = values
            slots.dataset_indices[here] += self._first[group]
        return slots


AtEnd = Literal["restart", "stop"]
_CACHED_PASSES = 4
"""Passes of each dataset that are cached: its streams end a pass at about the same time."""


class MixturePlan:
    """Datasets by shares. All streams use the same pattern, each from another turn on.

    A stream is always less than one example away from the exact shares, and over any range of
    batches less than two.
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
            sizes: of each dataset, [shards]: examples in each shard.
            shares: of each dataset.
            order: how the examples of each dataset are ordered.
            epoch_batches: batches in an epoch. By default, as many as all examples fill; with
                `stop`, as many as there are before the first dataset ends.
            at_end: what happens when a dataset ends: `restart` it in another order, or `stop` the
                epoch.

        Raises:
            LoadError: if a dataset has no example, or an epoch no batch.
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
        self._taken = self._pattern.before[self._first]
        self._batches = self._count_batches(epoch_batches)

    @property
    def batch(self) -> int:
        """Examples in a global batch."""
        return self._order.batch

    def batches(self, epoch: int) -> int:  # noqa: ARG002 - all epochs have the same length
        """Batches in an epoch."""
        return self._batches

    def slots(self, epoch: int, batches: Sequence[int] | Ints, positions: range) -> Slots:
        """What is at some positions of some batches of an epoch.

        If datasets restart, an epoch continues where the one before stopped.
        """
        restart = self._at_end == "restart"
        shift = epoch * self._batches if restart else 0
        whole = self._extend_to_streams(positions)
        stream, turn = stream_turns(self._order, np.asarray(batches, np.int64) + shift, whole)
        turn = self._shuffle_turns(stream, turn)
        own = slice(positions.start - whole.start, positions.stop - whole.start)
        stream, turn = stream[:, own], turn[:, own]
        dataset_indices, draws = self._draw(stream, turn)
        examples, passes = np.empty_like(draws), np.empty_like(draws)
        for index in np.unique(dataset_indices):
            here = dataset_indices == index
            pass_number, number = np.divmod(draws[here], self._counts[index])
            passes[here] = pass_number + (0 if restart else epoch)
            examples[here] = self._examples(int(index), passes[here], number)
        return Slots(dataset_indices, examples, passes)

    def _extend_to_streams(self, positions: range) -> range:
        """All positions of the streams that some positions belong to."""
        width = self._order.batch // self._order.used_streams
        return range(positions.start // width * width, -(-positions.stop // width) * width)

    def _shuffle_turns(self, stream: Ints, turn: Ints) -> Ints:
        """The turns of each stream in random order within a batch.

        The pattern has a period: without this, a rank might always get the same dataset.
        """
        if not self._order.shuffle:
            return turn
        width = self._order.batch // self._order.used_streams
        words = keys_of(key_of(self._order.seed, -1), turn * len(self._first) + stream)
        order = np.argsort(words.reshape(len(turn), -1, width), axis=2)
        mixed: Ints = np.take_along_axis(turn.reshape(order.shape), order, 2).reshape(turn.shape)
        return mixed

    def _draw(self, stream: Ints, turn: Ints) -> tuple[Ints, Ints]:
        """(dataset, number of the draw from it over all streams) at each turn."""
        periods, phase = np.divmod(self._first[stream] + turn, len(self._pattern))
        dataset_indices = self._pattern.turns[phase].astype(np.int64)
        before = self._pattern.before[phase, dataset_indices]
        total = periods * self._pattern.before[-1][dataset_indices] + before
        own = total - self._taken[stream, dataset_indices]
        return dataset_indices, own * len(self._first) + stream

    def _examples(self, dataset_index: int, passes: Ints, numbers: Ints) -> Ints:
        count, streams = int(self._counts[dataset_index]), len(self._first)
        examples = np.empty_like(numbers)
        for pass_number in np.unique(passes):
            here = passes == pass_number
            order = self._order_of(dataset_index, int(pass_number))
            examples[here] = order.at(deal_to_streams(numbers[here], count, streams))
        return examples

    def _order_of(self, dataset_index: int, pass_number: int) -> PassOrder:
        key = dataset_index, pass_number
        order = self._passes.pop(key, None)
        order = order or self._order.start(self._sizes[dataset_index], *key)
        self._passes[key] = order
        if len(self._passes) > _CACHED_PASSES * len(self._sizes):
            self._passes.popitem(last=False)
        return order

    def _count_batches(self, requested: int | None) -> int:
        """Batches in an epoch."""
        count = int(self._counts.sum()) // self._order.batch if requested is None else requested
        if self._at_end == "stop":
            longest = self._batches_to_end()
            count = longest if requested is None else min(longest, requested)
        if count < 1:
            raise LoadError(
                f"an epoch has no batch of {self._order.batch} (over all ranks): the datasets "
                f"have {self._counts.tolist()} samples"
            )
        return count

    def _batches_to_end(self) -> int:
        """Batches until a dataset has no example left that was not given yet."""
        streams, width = len(self._first), self._order.batch // len(self._first)

        def exceeds(batches: int) -> int:
            turns = self._first + batches * width
            taken = np.array([self._pattern.counts(int(t)) for t in turns]) - self._taken
            last = (taken - 1) * streams + np.arange(streams)[:, None]
            return int(((taken > 0) & (last >= self._counts)).any())

        most = int(self._counts.sum()) // self._order.batch + 2
        return bisect_left(range(1, most), 1, key=exceeds)
