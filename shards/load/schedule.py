"""A plan and its splits become what to read, batch by batch, for one rank."""

from collections.abc import Iterator, Sequence

import numpy as np

from shards.load.plan import Plan, Slots, share
from shards.load.raw import Asked
from shards.load.shuffle import Words, key_of, keys_of
from shards.load.split import Places, Split, part_and_shard, shard_keys

_PLANNED = 4096
"""Samples that are planned at once: numpy's fixed costs are then nothing to each, and the shards
that come next are known this long before they are read."""


class Schedule:
    """What one rank reads.

    Attributes:
        plan: of all ranks.
        splits: by number.
        places: of this rank in a batch.
    """

    def __init__(
        self, plan: Plan, splits: Sequence[Split], rank: int, world: int, seed: int
    ) -> None:
        """Join a plan with its splits.

        Raises:
            LoadError: if the ranks cannot share a batch evenly.
        """
        self.plan, self.splits, self._seed = plan, splits, seed
        self.places = share(plan.batch, rank, world)

    def batches(self, epoch: int, numbers: range) -> Iterator[Asked]:
        """Some batches of an epoch, in order. Files that follow soon are announced ahead."""
        waiting: list[Asked] = []
        announced: set[int] = set()
        for chunk in self._chunks(numbers):
            planned = self._plan(epoch, chunk)
            announced = self._announce(planned, announced)
            yield from waiting
            waiting = planned
        yield from waiting

    def _chunks(self, numbers: range) -> Iterator[range]:
        """One batch first, for the first to come soon; then many at a time."""
        many = max(1, _PLANNED // len(self.places))
        if numbers:
            yield numbers[:1]
        for start in range(1, len(numbers), many):
            yield numbers[start : start + many]

    def _plan(self, epoch: int, numbers: range) -> list[Asked]:
        slots = self.plan.slots(epoch, numbers, self.places)
        shape = slots.parts.shape
        shares = zip(*(column.reshape(shape) for column in self._find(slots)), strict=True)
        rows = zip(numbers, slots.parts, shares, self._seeds(slots).reshape(shape), strict=True)
        return [
            Asked(epoch, number, parts, Places._make(found), seeds)
            for number, parts, found, seeds in rows
        ]

    def _find(self, slots: Slots) -> Places:
        parts, units = slots.parts.ravel(), slots.units.ravel()
        if len(self.splits) == 1:
            return self.splits[0].places(units)
        found: Places | None = None
        for part in np.unique(parts):
            here = np.flatnonzero(parts == part)
            some = self.splits[part].places(units[here])
            if found is None:
                found = Places(*(np.empty(len(units), column.dtype) for column in some))
            for column, values in zip(found, some, strict=True):
                column[here] = values
        assert found is not None  # noqa: S101 - a share has at least one place
        return found

    def _seeds(self, slots: Slots) -> Words:
        """Of each unit in each pass: whoever makes an example of it has the same chance."""
        parts, units, passes = (each.ravel() for each in slots)
        keyed = np.empty(len(units), np.uint64)
        for part in np.unique(parts):
            for lap in np.unique(passes[parts == part]):
                here = (parts == part) & (passes == lap)
                keyed[here] = key_of(self._seed, 1, int(part), int(lap))
        return keys_of(0, (keyed ^ keys_of(1, units)).view(np.int64))

    def _announce(self, planned: Sequence[Asked], before: set[int]) -> set[int]:
        """Tell the files which shards come next; returns them all, each with its dataset."""
        used = np.concatenate([shard_keys(asked.parts, asked.found.shards) for asked in planned])
        names, first = np.unique(used, return_index=True)
        in_order: list[int] = names[np.argsort(first)].tolist()
        new = [part_and_shard(key) for key in in_order if key not in before]
        for number, split in enumerate(self.splits):
            ahead = [split.names[shard] for part, shard in new if part == number]
            if ahead:
                split.files.ahead(ahead)
        return set(in_order)
