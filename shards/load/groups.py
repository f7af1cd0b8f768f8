"""Batches that are of one kind each: the plan of plans that take turns. Pure, as `plan`."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from shards.errors import LoadError
from shards.load.pattern import Pattern
from shards.load.plan import Plan, Slots
from shards.load.shuffle import Ints


class GroupPlan:
    """Plans that take turns, a whole batch each; in exact shares, never a whole batch off.

    Datasets are numbered on from plan to plan. Each plan goes on where it was: it must have no end.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
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
