"""Batches in order, made by threads: what every way of loading has in common. Knows no torch."""

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from shards.errors import LoadError
from shards.load.losses import Losses
from shards.load.raw import Asked, RawBatch
from shards.load.reader import Reader
from shards.load.schedule import Schedule
from shards.load.state import State

T_co = TypeVar("T_co", covariant=True)


class Making(Protocol[T_co]):
    """One batch while it is made."""

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        """Make some of its samples; several threads do so at once."""

    def finish(self) -> T_co:
        """The batch, when all of it is made."""


class Work(Protocol[T_co]):
    """What samples are made into."""

    def begin(self, asked: Asked) -> Making[T_co]:
        """Begin a batch."""

    def cost(self, asked: Asked) -> int:
        """Bytes that a batch holds, about, when it is made."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are made; nothing of it changes what is in them.

    Attributes:
        threads: that read and make; 0 does it when the batch is asked for.
        prefetch: batches that are made ahead, at the most.
        memory: bytes that they hold, at the most; one is always made.
        check: compare every sample with its checksum.
        mapped: give raw samples where the system has them in memory, without copying them. Whoever
            holds one when its file is cut short in place is ended by the system (SIGBUS).
        skip: samples that may be skipped because they are missing or damaged, before it is an
            error: such a batch is shorter.
    """

    threads: int = 2
    prefetch: int = 4
    memory: int = 1 << 30
    check: bool = True
    mapped: bool = False
    skip: int = 0


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
        self._schedule, self._work, self._pace = schedule, work, pace
        self._losses = Losses(pace.skip)
        self._reader = Reader(schedule.splits, self._losses, pace.check, pace.mapped)
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
        """Go to the beginning of an epoch, unless this is the epoch one is in."""
        if epoch != self._state.epoch:
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
        self._state = self._state.accept(state)

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
            yield from self._make_ahead(asked) if self._pace.threads else self._make_each(asked)
        finally:
            for split in self._schedule.splits:
                split.files.stop_ahead()

    def _make_each(self, batches: Iterator[Asked]) -> Generator[T_co]:
        for asked in batches:
            making = self._work.begin(asked)
            self._fill(making, asked, range(len(asked)))
            yield self._finish(making, asked)

    def _fill(self, making: Making[T_co], asked: Asked, places: range) -> None:
        making.fill(self._reader.read(asked, places), self._reader)

    def _make_ahead(self, batches: Iterator[Asked]) -> Generator[T_co]:
        waiting: deque[_Begun[T_co]] = deque()
        held = 0
        ahead: Asked | None = next(batches, None)
        with _threads(self._pace.threads) as pool:
            while waiting or ahead is not None:
                while ahead is not None and self._may_begin(len(waiting), held, ahead):
                    begun = self._begin(pool, ahead, 1 if waiting else self._pace.threads)
                    held += begun.cost
                    waiting.append(begun)
                    ahead = next(batches, None)
                first = waiting.popleft()
                held -= first.cost
                for future in first.futures:
                    future.result()
                yield self._finish(first.making, first.asked)

    def _may_begin(self, waiting: int, held: int, ahead: Asked) -> bool:
        if not waiting:
            return True
        fits = held + self._work.cost(ahead) <= self._pace.memory
        return fits and waiting <= self._pace.prefetch

    def _begin(self, pool: ThreadPoolExecutor, asked: Asked, pieces: int) -> "_Begun[T_co]":
        """Hand a batch to the threads, in stretches: a batch that is waited for to all of them.

        Others go to one thread each: it costs less, and none waits for the slowest.
        """
        making = self._work.begin(asked)
        stretches = _cut(len(asked), pieces)
        futures = [pool.submit(self._fill, making, asked, stretch) for stretch in stretches]
        return _Begun(asked, making, futures, self._work.cost(asked))

    def _finish(self, making: Making[T_co], asked: Asked) -> T_co:
        try:
            return making.finish()
        except LoadError as error:
            raise LoadError(f"epoch {asked.epoch}, batch {asked.number}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Begun(Generic[T_co]):
    asked: Asked
    making: Making[T_co]
    futures: Sequence[Future[None]]
    cost: int


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are gone when this is left, with whatever they had not begun."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="shards-load")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cut(count: int, pieces: int) -> list[range]:
    """Numbers below a count, in stretches of nearly one length."""
    ends = [count * number // pieces for number in range(pieces + 1)]
    return [range(a, b) for a, b in pairwise(ends) if a < b]
