"""Batches made of what is asked for, by the caller's thread or ahead of it. Knows no torch."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from shards.errors import LoadError
from shards.load.reading.batch import BatchRequest, RawBatch
from shards.load.reading.reader import Reader

T_co = TypeVar("T_co", covariant=True)


class BatchBuilder(Protocol[T_co]):
    """One batch while it is made."""

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        """Make some of its samples; several threads do so at once."""

    def finish(self) -> T_co:
        """The batch, when all of it is made."""


class BatchTransform(Protocol[T_co]):
    """What samples are made into."""

    def begin(self, asked: BatchRequest) -> BatchBuilder[T_co]:
        """Begin a batch."""

    def cost(self, asked: BatchRequest) -> int:
        """Bytes that a batch holds, about, when it is made."""


@dataclass(frozen=True, slots=True)
class LoaderOptions:
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

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            LoadError: naming the field.
        """
        for name in ("threads", "prefetch", "memory", "skip"):
            found = getattr(self, name)
            if not isinstance(found, int) or found < 0:
                raise LoadError(f"{name} of a Pace is {found!r}; expected a number, 0 or more")


@dataclass(frozen=True, slots=True)
class BatchPipeline(Generic[T_co]):
    """Makes batches.

    Attributes:
        work: what to make of the samples.
        reader: gives these.
        pace: how.
    """

    work: BatchTransform[T_co]
    reader: Reader
    pace: LoaderOptions

    def make(self, batches: Iterator[BatchRequest]) -> Generator[T_co]:
        """Batches in order; threads are gone when it is closed."""
        yield from self._make_ahead(batches) if self.pace.threads else self._make_each(batches)

    def _make_each(self, batches: Iterator[BatchRequest]) -> Generator[T_co]:
        for asked in batches:
            making = self.work.begin(asked)
            self._fill(making, asked, range(len(asked)))
            yield self._finish(making, asked)

    def _fill(self, making: BatchBuilder[T_co], asked: BatchRequest, places: range) -> None:
        making.fill(self.reader.read(asked, places), self.reader)

    def _make_ahead(self, batches: Iterator[BatchRequest]) -> Generator[T_co]:
        waiting: deque[_Begun[T_co]] = deque()
        held = 0
        ahead: BatchRequest | None = next(batches, None)
        with _threads(self.pace.threads) as pool:
            while waiting or ahead is not None:
                while ahead is not None and self._may_begin(len(waiting), held, ahead):
                    begun = self._begin(pool, ahead, 1 if waiting else self.pace.threads)
                    held += begun.cost
                    waiting.append(begun)
                    ahead = next(batches, None)
                first = waiting.popleft()
                held -= first.cost
                for future in first.futures:
                    future.result()
                yield self._finish(first.making, first.asked)

    def _may_begin(self, waiting: int, held: int, ahead: BatchRequest) -> bool:
        if not waiting:
            return True
        fits = held + self.work.cost(ahead) <= self.pace.memory
        return fits and waiting <= self.pace.prefetch

    def _begin(self, pool: ThreadPoolExecutor, asked: BatchRequest, pieces: int) -> "_Begun[T_co]":
        """Hand a batch to the threads, in stretches: a batch that is waited for to all of them.

        Others go to one thread each: it costs less, and none waits for the slowest.
        """
        making = self.work.begin(asked)
        stretches = _cut(len(asked), pieces)
        futures = [pool.submit(self._fill, making, asked, stretch) for stretch in stretches]
        return _Begun(asked, making, futures, self.work.cost(asked))

    def _finish(self, making: BatchBuilder[T_co], asked: BatchRequest) -> T_co:
        try:
            return making.finish()
        except LoadError as error:
            raise LoadError(f"epoch {asked.epoch}, batch {asked.number}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Begun(Generic[T_co]):
    asked: BatchRequest
    making: BatchBuilder[T_co]
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
