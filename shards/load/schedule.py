"""A plan and its splits become what to read, batch by batch, for one rank."""

from collections.abc import Iterator, Sequence

import numpy as np

from shards.load.reading.batch import BatchRequest
from shards.load.reading.split import SampleLocations, Split, dataset_and_shard, shard_keys
from shards.load.sampling.plan import SamplePlan, Slots, rank_slice
from shards.random import Ints, Words, key_of, keys_of

_PLANNED = 8192
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
        self, plan: SamplePlan, splits: Sequence[Split], rank: int, world: int, seed: int
    ) -> None:
        """Join a plan with its splits.

        Raises:
            LoadError: if the ranks cannot share a batch evenly.
        """
        self.plan, self.splits, self._seed = plan, splits, seed
        self.places = rank_slice(plan.batch, rank, world)

    def batches(self, epoch: int, numbers: range) -> Iterator[BatchRequest]:
        """Some batches of an epoch, in order. Files that follow soon are announced ahead."""
        waiting: list[BatchRequest] = []
        announced: set[int] = set()
        for chunk in self._chunks(numbers):
            slots = self.plan.slots(epoch, chunk, self.places)
            found = self._find(slots)
            tars = shard_keys(slots.parts, found.shards.reshape(slots.parts.shape))
            announced = self._announce(tars, announced)
            yield from waiting
            waiting = self._share(epoch, chunk, slots, found, tars)
        yield from waiting

    def _chunks(self, numbers: range) -> Iterator[range]:
        """One batch first, for the first to come soon; then many at a time."""
        many = max(1, _PLANNED // len(self.places))
        if numbers:
            yield numbers[:1]
        for start in range(1, len(numbers), many):
            yield numbers[start : start + many]

    def _share(
        self, epoch: int, numbers: range, slots: Slots, found: SampleLocations, tars: Ints
    ) -> list[BatchRequest]:
        shape = slots.parts.shape
        places = zip(*(column.reshape(shape) for column in found), strict=True)
        seeds = self._seeds(slots).reshape(shape)
        rows = zip(numbers, slots.parts, tars, places, seeds, strict=True)
        return [
            BatchRequest(epoch, number, parts, keys, SampleLocations._make(place), chance)
            for number, parts, keys, place, chance in rows
        ]

    def _find(self, slots: Slots) -> SampleLocations:
        parts, units = slots.parts.ravel(), slots.units.ravel()
        if len(self.splits) == 1:
            return self.splits[0].places(units)
        found: SampleLocations | None = None
        for part in np.unique(parts):
            here = np.flatnonzero(parts == part)
            some = self.splits[part].places(units[here])
            if found is None:
                found = SampleLocations(*(np.empty(len(units), column.dtype) for column in some))
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

    def _announce(self, tars: Ints, before: set[int]) -> set[int]:
        """Tell the files which shards come next; returns them all, each with its dataset."""
        names = set(np.unique(tars).tolist())
        if names <= before:
            return names
        _, first = np.unique(tars, return_index=True)
        new = [key for key in tars.ravel()[np.sort(first)].tolist() if key not in before]
        for number, split in enumerate(self.splits):
            places = map(dataset_and_shard, new)
            ahead = [split.names[shard] for part, shard in places if part == number]
            if ahead:
                split.files.ahead(ahead)
        return names
