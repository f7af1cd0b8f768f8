"""What one rank reads, batch by batch: a plan's numbers become locations in files."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64

from shards.errors import LoadError
from shards.load.mixture import Mixture
from shards.load.ranks import resolve_rank
from shards.load.reading.batch import BatchRequest
from shards.load.reading.split import (
    EVERYTHING,
    SampleLocations,
    Selection,
    Split,
    dataset_and_shard,
    shard_keys,
)
from shards.load.sampling.plan import EpochPlan, SampleOrder, SamplePlan, Slots, Tail, rank_slice
from shards.random import Ints, Words, key_of, keys_of

Data = str | Path | Split | Mixture
"""The folder or URL of a split, an open split, or several splits in a mixture."""

_log = logging.getLogger("shards.load")

_PLANNED = 8192
"""Examples that are planned at once: numpy's fixed costs are then negligible for each, and the next
shards are known this many examples before they are read."""


class Schedule:
    """What one rank reads.

    Attributes:
        plan: of all ranks.
        splits: the datasets, by index.
        positions: of this rank in a global batch.
    """

    def __init__(
        self, plan: SamplePlan, splits: Sequence[Split], rank: int, world_size: int, seed: int
    ) -> None:
        """Join a plan with its splits.

        Raises:
            LoadError: if a batch does not divide evenly among the ranks.
        """
        self.plan, self.splits, self._seed = plan, splits, seed
        self.positions = rank_slice(plan.batch, rank, world_size)

    def batches(self, epoch: int, numbers: range) -> Iterator[BatchRequest]:
        """Some batches of an epoch, in order. Also announces the shards that come next."""
        waiting: list[BatchRequest] = []
        announced: set[int] = set()
        for chunk in self._chunks(numbers):
            slots = self.plan.slots(epoch, chunk, self.positions)
            locations = self._locate(slots)
            shards = locations.shards.reshape(slots.dataset_indices.shape)
            keys = shard_keys(slots.dataset_indices, shards)
            announced = self._announce(keys, announced)
            yield from waiting
            waiting = self._to_requests(epoch, chunk, slots, locations, keys)
        yield from waiting

    def _chunks(self, numbers: range) -> Iterator[range]:
        """One batch first, so that it comes soon; then many at a time."""
        many = max(1, _PLANNED // len(self.positions))
        if numbers:
            yield numbers[:1]
        for start in range(1, len(numbers), many):
            yield numbers[start : start + many]

    def _to_requests(
        self, epoch: int, numbers: range, slots: Slots, locations: SampleLocations, keys: Ints
    ) -> list[BatchRequest]:
        shape = slots.dataset_indices.shape
        rows = zip(*(column.reshape(shape) for column in locations), strict=True)
        seeds = self._seeds(slots).reshape(shape)
        batches = zip(numbers, slots.dataset_indices, keys, rows, seeds, strict=True)
        return [
            BatchRequest(epoch, number, indices, own, SampleLocations._make(row), bits)
            for number, indices, own, row, bits in batches
        ]

    def _locate(self, slots: Slots) -> SampleLocations:
        indices, examples = slots.dataset_indices.ravel(), slots.examples.ravel()
        if len(self.splits) == 1:
            return self.splits[0].locate(examples)
        locations: SampleLocations | None = None
        for index in np.unique(indices):
            here = np.flatnonzero(indices == index)
            some = self.splits[index].locate(examples[here])
            if locations is None:
                empty = (np.empty(len(examples), column.dtype) for column in some)
                locations = SampleLocations(*empty)
            for column, values in zip(locations, some, strict=True):
                column[here] = values
        assert locations is not None  # noqa: S101 - a rank has at least one position
        return locations

    def _seeds(self, slots: Slots) -> Words:
        """Random bits of each example in each pass, independent of rank and batch."""
        indices, examples, passes = (column.ravel() for column in slots)
        keyed = np.empty(len(examples), np.uint64)
        for index in np.unique(indices):
            for pass_number in np.unique(passes[indices == index]):
                here = (indices == index) & (passes == pass_number)
                keyed[here] = key_of(self._seed, 1, int(index), int(pass_number))
        return keys_of(0, (keyed ^ keys_of(1, examples)).view(np.int64))

    def _announce(self, keys: Ints, before: set[int]) -> set[int]:
        """Announce the shards that come next, in order; returns the keys of all of them."""
        names = set(np.unique(keys).tolist())
        if names <= before:
            return names
        _, first = np.unique(keys, return_index=True)
        new = [key for key in keys.ravel()[np.sort(first)].tolist() if key not in before]
        for number, split in enumerate(self.splits):
            pairs = map(dataset_and_shard, new)
            upcoming = [split.names[shard] for index, shard in pairs if index == number]
            if upcoming:
                split.files.prefetch(upcoming)
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class DataArguments:
    """The arguments of a loader that say which samples come in which order (see `Loader`)."""

    data: Data
    batch_size: int
    where: str
    expand: str
    seed: int
    shuffle: bool
    block: int
    streams: int
    tail: Tail
    rank: int | None
    world_size: int | None

    def open(self) -> tuple[Schedule, str]:
        """(schedule of this rank, digest of the data and its order).

        A saved state fits every loader with the same digest.

        Raises:
            CorruptShardError: if a manifest or an index is missing or damaged.
            LoadError: if an argument is out of range, or does not fit the data.
        """
        if self.batch_size < 1:
            raise LoadError(f"batch_size is {self.batch_size}; expected at least 1")
        rank, world_size = resolve_rank(self.rank, self.world_size)
        order = SampleOrder(
            self.batch_size * max(world_size, 1),
            self.seed,
            self.shuffle,
            self.block,
            self.streams,
            self.tail,
        )
        splits, plan = self._plan(order)
        schedule = Schedule(plan, splits, rank, world_size, self.seed)
        if rank == 0:
            _log.info(_describe(splits, plan, world_size))
        return schedule, digest_of(self.data, splits, order)

    def _plan(self, order: SampleOrder) -> tuple[Sequence[Split], SamplePlan]:
        selection = Selection(self.where, self.expand)
        if isinstance(self.data, Mixture):
            if selection != EVERYTHING:
                raise LoadError(
                    "where and expand do not apply to a mixture: give them for each of its datasets"
                )
            splits = self.data.open()
            return splits, self.data.plan(splits, order)
        split = self.data
        if not isinstance(split, Split):
            split = Split.open(split, selection)
        elif selection != EVERYTHING:
            raise LoadError(
                "where and expand do not apply to an open split: give them to Split.open"
            )
        try:
            return [split], EpochPlan(split.sizes, order)
        except LoadError as error:
            raise LoadError(f"{split.files.location}: {error}") from error


def _describe(splits: Sequence[Split], plan: SamplePlan, world_size: int) -> str:
    """The length of the first epoch, and what happens to samples that do not fill a batch."""
    location = splits[0].files.location if len(splits) == 1 else f"{len(splits)} datasets"
    text = (
        f"{location}: {plan.batches(0):,} batches of {plan.batch // world_size} for each of "
        f"{world_size} ranks in an epoch"
    )
    if isinstance(plan, EpochPlan) and plan.left_over > 0:
        return (
            f"{text}; {plan.left_over} of {len(splits[0]):,} samples do not fill a batch: dropped"
        )
    if isinstance(plan, EpochPlan) and plan.left_over < 0:
        return f"{text}; the last is filled with {-plan.left_over} samples that came before"
    return text


def digest_of(data: Data, splits: Sequence[Split], order: SampleOrder) -> str:
    """A digest of what is loaded and in which order."""
    digest = xxh3_64(repr(astuple(order)).encode())
    for split in splits:
        digest.update(repr((split.manifest.checksum, astuple(split.selection))).encode())
    if isinstance(data, Mixture):
        shares = [(member.share, member.group) for member in data.members]
        rest = (data.groups, data.at_end, data.epoch_steps, data.epoch_samples)
        digest.update(repr((shares, rest)).encode())
    return digest.hexdigest()
