"""Batches from requests: read, decoded and collated, by threads or by the caller. No torch here."""

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
    """One batch in progress."""

    def decode(self, raws: RawBatch, reader: Reader) -> None:
        """Decode some of its samples. Several threads call this at the same time."""

    def collate(self) -> T_co:
        """The batch, after all of its samples are decoded."""


class BatchTransform(Protocol[T_co]):
    """What a loader makes of stored samples."""

    def begin(self, request: BatchRequest) -> BatchBuilder[T_co]:
        """Start a batch."""

    def cost(self, request: BatchRequest) -> int:
        """Approximate bytes that a batch holds."""


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """How batches are loaded. Except for `skip`, no option changes what is in a batch.

    Attributes:
        threads: threads that read and decode; 0 does the work in the thread that iterates, when it
            asks for a batch. Each takes a core while it decodes. A loader without options takes
            this rank's share of the cores, at most 8.
        prefetch: batches that are prepared in advance, at most; the batch in use is not counted.
            Each costs the memory of a whole batch.
        memory: bytes that the prepared batches may hold, at most; one batch is always prepared, of
            whatever size.
        check: compare every sample with its stored checksum. Costs about a fifth of the time of
            reading, and little beside decoding.
        mmap: take samples from memory-mapped shards in the page cache, without copying them: more
            than twice as fast for raw samples. If a shard is truncated in place while one of its
            samples is held, the system ends the process (SIGBUS).
        skip: damaged or missing samples to skip before it is an error. Their batches are shorter.

    >>> LoaderOptions(threads=4).prefetch
    4
    """

    threads: int = 2
    prefetch: int = 4
    memory: int = 1 << 30
    check: bool = True
    mmap: bool = False
    skip: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            LoadError: naming the option that is out of range.
        """
        for name in ("threads", "prefetch", "memory", "skip"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise LoadError(
                    f"LoaderOptions: {name} is {value!r}; expected a whole number, 0 or more"
                )


@dataclass(frozen=True, slots=True)
class BatchPipeline(Generic[T_co]):
    """Reads, decodes and collates batches.

    Attributes:
        transform: what becomes of the samples.
        reader: reads them.
        options: threads, prefetch and memory.
    """

    transform: BatchTransform[T_co]
    reader: Reader
    options: LoaderOptions

    def run(self, requests: Iterator[BatchRequest]) -> Generator[T_co]:
        """The batches in order. Closing the generator ends its threads."""
        yield from self._prefetch(requests) if self.options.threads else self._load_each(requests)

    def _load_each(self, requests: Iterator[BatchRequest]) -> Generator[T_co]:
        for request in requests:
            builder = self.transform.begin(request)
            self._decode(builder, request, range(len(request)))
            yield self._collate(builder, request)

    def _decode(self, builder: BatchBuilder[T_co], request: BatchRequest, positions: range) -> None:
        builder.decode(self.reader.read(request, positions), self.reader)

    def _prefetch(self, requests: Iterator[BatchRequest]) -> Generator[T_co]:
        waiting: deque[_PendingBatch[T_co]] = deque()
        held = 0
        upcoming: BatchRequest | None = next(requests, None)
        with _threads(self.options.threads) as pool:
            while waiting or upcoming is not None:
                while upcoming is not None and self._may_begin(len(waiting), held, upcoming):
                    pieces = 1 if waiting else self.options.threads
                    pending = self._begin(pool, upcoming, pieces)
                    held += pending.cost
                    waiting.append(pending)
                    upcoming = next(requests, None)
                first = waiting.popleft()
                held -= first.cost
                for future in first.futures:
                    future.result()
                yield self._collate(first.builder, first.request)

    def _may_begin(self, waiting: int, held: int, request: BatchRequest) -> bool:
        if not waiting:
            return True
        fits = held + self.transform.cost(request) <= self.options.memory
        return fits and waiting <= self.options.prefetch

    def _begin(
        self, pool: ThreadPoolExecutor, request: BatchRequest, pieces: int
    ) -> "_PendingBatch[T_co]":
        """Submit a batch to the threads, cut into pieces.

        The batch that the caller waits for is cut for all threads. Others go to one thread each:
        that costs less, and no thread waits for the slowest.
        """
        builder = self.transform.begin(request)
        futures = [
            pool.submit(self._decode, builder, request, positions)
            for positions in _cut(len(request), pieces)
        ]
        return _PendingBatch(request, builder, futures, self.transform.cost(request))

    def _collate(self, builder: BatchBuilder[T_co], request: BatchRequest) -> T_co:
        try:
            return builder.collate()
        except LoadError as error:
            raise LoadError(f"epoch {request.epoch}, batch {request.number}: {error}") from error


@dataclass(frozen=True, slots=True)
class _PendingBatch(Generic[T_co]):
    request: BatchRequest
    builder: BatchBuilder[T_co]
    futures: Sequence[Future[None]]
    cost: int


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads; on exit, they end, and what they had not begun is cancelled."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="shards-load")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cut(count: int, pieces: int) -> list[range]:
    """The numbers below a count, in ranges of nearly the same length."""
    ends = [count * number // pieces for number in range(pieces + 1)]
    return [range(a, b) for a, b in pairwise(ends) if a < b]
