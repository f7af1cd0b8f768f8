"""Batches in order, wherever one stopped: what every way of loading has in common."""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

import msgspec
from xxhash import xxh3_64

from shards.errors import LoadError
from shards.load.batches import BatchPipeline, BatchTransform, LoaderOptions
from shards.load.mixture import Mixture
from shards.load.ranks import rank_and_world
from shards.load.reading.reader import Reader, SkipTracker
from shards.load.reading.split import EVERYTHING, Selection, Split
from shards.load.sampling.plan import EpochPlan, SampleOrder, SamplePlan
from shards.load.schedule import Schedule

_log = logging.getLogger("shards.load")
Data = str | Path | Split | Mixture
"""A split's folder or URL, a split that is open, or several in a mixture."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Data that is ready to be loaded.

    Attributes:
        schedule: of this rank.
        digest: of what is loaded and in which order: equal where a state may be taken over.
    """

    schedule: Schedule
    digest: str


def open_data(
    data: Data, order: SampleOrder, chosen: Selection, rank: int | None, world: int | None
) -> Opened:
    """Open the files and plan.

    Args:
        data: what.
        order: how.
        chosen: which samples, for a split that is named.
        rank: of this process; None asks the environment.
        world: number of processes.

    Raises:
        CorruptShardError: if a manifest or an index is missing or damaged.
        LoadError: saying what does not fit.
    """
    if (rank is None) != (world is None):
        raise LoadError("rank and world_size are given together or not at all")
    if rank is None or world is None:
        rank, world = rank_and_world()
    splits, plan = _plan(data, order, chosen)
    schedule = Schedule(plan, splits, rank, world, order.seed)
    if rank == 0:
        _log.info(_describe(splits, plan, world))
    return Opened(schedule, _digest(data, splits, order))


def _plan(data: Data, order: SampleOrder, chosen: Selection) -> tuple[Sequence[Split], SamplePlan]:
    if isinstance(data, Mixture):
        if chosen != EVERYTHING:
            raise LoadError("the members of a mixture have a question and expand of their own")
        splits = data.open()
        return splits, data.plan(splits, order)
    split = data if isinstance(data, Split) else Split.open(data, chosen)
    try:
        return [split], EpochPlan(split.sizes, order)
    except LoadError as error:
        raise LoadError(f"{split.files.where}: {error}") from error


def _describe(splits: Sequence[Split], plan: SamplePlan, world: int) -> str:
    """How long the first epoch is, and what becomes of samples that fill no batch."""
    where = splits[0].files.where if len(splits) == 1 else f"{len(splits)} datasets"
    each = plan.batch // world
    said = f"{where}: {plan.batches(0):,} batches of {each} for each of {world} ranks in an epoch"
    if isinstance(plan, EpochPlan) and plan.left_over > 0:
        return f"{said}; {plan.left_over} of {len(splits[0]):,} samples fill no batch: left over"
    if isinstance(plan, EpochPlan) and plan.left_over < 0:
        return f"{said}; the last is filled with {-plan.left_over} samples that were given before"
    return said


def _digest(data: Data, splits: Sequence[Split], order: SampleOrder) -> str:
    found = xxh3_64(repr(astuple(order)).encode())
    for split in splits:
        found.update(repr((split.manifest.checksum, astuple(split.chosen))).encode())
    if isinstance(data, Mixture):
        shares = [(member.share, member.group) for member in data.members]
        rest = (data.groups, data.at_end, data.epoch_steps, data.epoch_samples)
        found.update(repr((shares, rest)).encode())
    return found.hexdigest()


_VERSION = 1
_EPOCHS = 1 << 31


class State(msgspec.Struct, frozen=True):
    """The next batch to give.

    Attributes:
        epoch: it is of.
        batch: its number in the epoch.
        batch_size: samples of a batch, over all ranks.
        data: digest of what is loaded and in which order.
        version: of these fields.
    """

    epoch: int
    batch: int
    batch_size: int
    data: str
    version: int = _VERSION

    def at(self, epoch: int, batch: int) -> Self:
        """Another batch of the same order."""
        return msgspec.structs.replace(self, epoch=epoch, batch=batch)

    def as_dict(self) -> dict[str, int | str]:
        """As plain values."""
        return msgspec.structs.asdict(self)

    def accept(self, saved: Mapping[str, int | str]) -> Self:
        """Where a saved state says.

        Raises:
            LoadError: if it is none, or of another order.
        """
        if unknown := sorted(set(saved) - set(self.__struct_fields__)):
            raise LoadError(
                f"not a loader's state: it has {', '.join(unknown)}. That of a worker is for a "
                f"ShardDataset, under as many workers"
            )
        try:
            state = msgspec.convert(dict(saved), type(self))
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise LoadError(f"not a loader's state: {error}") from error
        if state.version != _VERSION:
            raise LoadError(f"a state of version {state.version}; this program has {_VERSION}")
        if state.batch_size != self.batch_size:
            raise LoadError(
                f"the state is of batches of {state.batch_size} samples over all ranks, this "
                f"loader's have {self.batch_size}: take ranks x batch_size = {state.batch_size}"
            )
        if state.data != self.data:
            raise LoadError(
                "the state is of other data or another order: the shards, their splits, weights, "
                "question, expand, seed, block, streams, tail and epoch must be those it was saved "
                "with"
            )
        if state.batch < 0:
            raise LoadError(f"a state of batch {state.batch}")
        check_epoch(state.epoch)
        return state


def check_epoch(epoch: int) -> int:
    """The epoch itself.

    Raises:
        LoadError: if there is no such.
    """
    if not 0 <= epoch < _EPOCHS:
        raise LoadError(f"epoch {epoch}; expected 0 or more, below 2**31")
    return epoch


T_co = TypeVar("T_co", covariant=True)


class Loader(Generic[T_co]):
    """The batches of one rank. Iterating goes on where it stopped, to the end of the epoch."""

    def __init__(
        self, schedule: Schedule, work: BatchTransform[T_co], pace: LoaderOptions, data: str
    ) -> None:
        """Begin at the first batch of epoch 0.

        Args:
            schedule: of this rank.
            work: what to make of the samples.
            pace: how.
            data: digest of what is loaded and in which order: a state is of one such order.
        """
        self._schedule = schedule
        self._losses = SkipTracker(pace.skip)
        self._reader = Reader(schedule.splits, self._losses, pace.check, pace.mapped)
        self._maker = BatchPipeline(work, self._reader, pace)
        self._state = State(0, 0, schedule.plan.batch, data)

    @property
    def epoch(self) -> int:
        """The epoch that the next batch is of."""
        return self._state.epoch

    @property
    def skipped(self) -> int:
        """Samples that were skipped so far: missing or damaged."""
        return self._losses.count

    @property
    def replaced(self) -> int:
        """Sound samples so far that could make no example, and in whose place another was given."""
        return self._losses.replaced

    def __len__(self) -> int:
        """Batches of an epoch: as many on every rank."""
        return self._schedule.plan.batches(self.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch, unless this is the epoch one is in.

        Raises:
            LoadError: if there is no such.
        """
        if check_epoch(epoch) != self._state.epoch:
            self._state = self._state.at(epoch, 0)

    def state_dict(self) -> dict[str, int | str]:
        """Where the next batch is, for every rank the same: a few numbers."""
        return self._state.as_dict()

    def state_at(self, epoch: int, batch: int) -> dict[str, int | str]:
        """The state of which some batch is the next."""
        epoch, batch = (epoch, batch) if batch < len(self) else (epoch + 1, 0)
        return self._state.at(epoch, batch).as_dict()

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go where a state says, whoever saved it; takes no longer for the last batch.

        Raises:
            LoadError: if it is of other data, or of batches of another size.
        """
        accepted = self.accept(state)
        total = self._schedule.plan.batches(accepted.epoch)
        if accepted.batch >= max(total, 1):
            raise LoadError(
                f"a state of batch {accepted.batch}, where epoch {accepted.epoch} has {total}"
            )
        self._state = accepted

    def accept(self, state: Mapping[str, int | str]) -> State:
        """A state, if it is of this data and this order.

        Raises:
            LoadError: if it is not.
        """
        return self._state.accept(state)

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __iter__(self) -> Iterator[T_co]:
        """The rest of the epoch."""
        epoch, total = self._state.epoch, len(self)
        numbers = range(self._state.batch, total)
        with closing(self.run(epoch, numbers)) as batches:
            for number, batch in zip(numbers, batches, strict=True):
                after = (epoch, number + 1) if number + 1 < total else (epoch + 1, 0)
                self._state = self._state.at(*after)
                yield batch

    def run(self, epoch: int, numbers: range) -> Generator[T_co]:
        """Some batches of an epoch, wherever the loader stands."""
        asked = self._schedule.batches(epoch, numbers)
        try:
            yield from self._maker.make(asked)
        finally:
            for split in self._schedule.splits:
                split.files.stop_prefetch()
