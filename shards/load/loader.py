"""Batches in order, wherever one stopped: what every way of loading has in common."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Generic, TypeVar

from shards.errors import LoadError
from shards.load.losses import Losses
from shards.load.making import Maker, Pace, Work
from shards.load.reader import Reader
from shards.load.schedule import Schedule
from shards.load.state import State, check_epoch

T_co = TypeVar("T_co", covariant=True)


class Loader(Generic[T_co]):
    """The batches of one rank. Iterating goes on where it stopped, to the end of the epoch."""

    def __init__(self, schedule: Schedule, work: Work[T_co], pace: Pace, data: str) -> None:
        """Begin at the first batch of epoch 0.

        Args:
            schedule: of this rank.
            work: what to make of the samples.
            pace: how.
            data: digest of what is loaded and in which order: a state is of one such order.
        """
        self._schedule = schedule
        self._losses = Losses(pace.skip)
        self._reader = Reader(schedule.splits, self._losses, pace.check, pace.mapped)
        self._maker = Maker(work, self._reader, pace)
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
                split.files.stop_ahead()
