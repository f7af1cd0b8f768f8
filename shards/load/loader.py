"""`Loader`: batches of one rank, from where it stopped. Knows no torch."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, Self

import msgspec

from shards.errors import LoadError
from shards.load.batches import BatchPipeline, BatchTransform, LoaderOptions
from shards.load.ranks import default_threads
from shards.load.reading.batch import BufferPool
from shards.load.reading.reader import Reader, SkipTracker
from shards.load.sampling.plan import Tail
from shards.load.schedule import Data, DataArguments, Schedule
from shards.load.transforms import ChooseMasks, Collate, ExampleFunction, OutputArguments

__all__ = ["Data", "Loader", "LoaderState", "check_epoch"]

_VERSION = 1
_EPOCHS = 1 << 31


class LoaderState(msgspec.Struct, frozen=True):
    """Which batch comes next.

    Attributes:
        epoch: of that batch.
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
        """The state at another batch of the same order."""
        return msgspec.structs.replace(self, epoch=epoch, batch=batch)

    def as_dict(self) -> dict[str, int | str]:
        """The fields by name."""
        return msgspec.structs.asdict(self)

    def accept(self, saved: Mapping[str, int | str]) -> Self:
        """A saved state, if it is of the same order.

        Raises:
            LoadError: if it is not a state, or of another order.
        """
        if unknown := sorted(set(saved) - set(self.__struct_fields__)):
            raise LoadError(
                f"not a loader's state: it has {', '.join(unknown)}. A state of a DataLoader's "
                f"worker is for a ShardDataset with the same number of workers"
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
                "the state is of other data or another order: use the same shards, weights, where, "
                "expand, seed, shuffle, block, streams, tail and epoch length as when it was saved"
            )
        if state.batch < 0:
            raise LoadError(f"a state of batch {state.batch}; expected 0 or more")
        check_epoch(state.epoch)
        return state


def check_epoch(epoch: int) -> int:
    """The epoch itself.

    Raises:
        LoadError: if it is out of range.
    """
    if not 0 <= epoch < _EPOCHS:
        raise LoadError(f"epoch {epoch}; expected 0 or more, below 2**31")
    return epoch


class Loader:
    """Batches of one rank, loaded by threads of this process. Nothing is forked or pickled.

    ::

        shards ---> read ---> decode ---> buffer ---> collate ---> for batch in loader
                    |__ threads, each __|  up to      |_ thread that iterates _|
                       on its own batch    prefetch

    *read*: get the samples of a batch and compare them with their checksums. *decode*: decode
    photos, masks and label maps, or call your `example` function. `options.threads` threads do
    both, each on a batch of its own; all of them work on a batch that you wait for. *buffer*: up to
    `options.prefetch` batches are prepared while you use one, as long as they hold no more than
    `options.memory` bytes. *collate*: call your `collate` function, in the thread that iterates.
    With `threads=0`, that thread does everything.

    Iterating continues where the loader stopped, to the end of the epoch; the next `for` loop is
    the next epoch. `len(loader)` is the number of batches in an epoch, the same on every rank. The
    ranks together get each sample once per epoch. Only ranks x batch_size, the seed and the data
    decide which samples share a batch, so any number of ranks can load a saved state.

    Args:
        data: folder or URL of a split, a `Split`, or a `Mixture`.
        batch_size: samples of a batch on this rank.
        decode: `"cpu"` (default) gives a `PixelBatch`, `"raw"` a `RawBatch`.
        example: makes an example of each sample, in the threads; one function for all samples, or
            one for each dataset of a mixture. Default: none; samples are decoded.
        collate: makes a batch of a list of examples. Default: the batch is that list.
        masks: chooses the regions whose masks are painted, such as `all_masks`. Default: none.
        labels: decode label maps, too. Default: False.
        where: query that selects samples, such as `"masks >= 3 and classes contains 'dog'"`.
            Default: all samples.
        expand: a column, such as `"phrases"`: a sample comes once for each of its phrases.
            Default: every sample comes once.
        seed: of everything random. Default: 0.
        shuffle: False keeps the stored order. Default: True.
        block: number of shards whose samples are shuffled together. Default: 2.
        streams: number of streams that read side by side, each from its own shards. Default: 8.
        tail: what happens to samples at the end of an epoch that do not fill a batch: `"drop"`
            (default), or `"pad"` the batch with samples that came before.
        rank: of this process. Default: of torch.distributed, or of the environment; else 0.
        world_size: number of ranks; give both or neither.
        options: threads, prefetch, memory, checks and skips. Default: `LoaderOptions`, with this
            rank's share of the cores as `threads`, at most 8.

    Arguments that contradict each other are errors:

    >>> Loader("OUT/refcoco/train", 32, decode="raw", labels=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    shards.errors.LoadError: labels=True and decode='raw' contradict each other: ...
    """

    def __init__(  # noqa: PLR0913 - one argument per choice
        self,
        data: Data,
        batch_size: int,
        *,
        decode: Literal["raw", "cpu"] = "cpu",
        example: ExampleFunction[Any] | Sequence[ExampleFunction[Any]] | None = None,
        collate: Collate | None = None,
        masks: ChooseMasks | None = None,
        labels: bool = False,
        where: str = "",
        expand: str = "",
        seed: int = 0,
        shuffle: bool = True,
        block: int = 2,
        streams: int = 8,
        tail: Tail = "drop",
        rank: int | None = None,
        world_size: int | None = None,
        options: LoaderOptions | None = None,
    ) -> None:
        """Open the data. Threads run only while you iterate.

        Raises:
            CorruptShardError: if a manifest or an index is missing or damaged.
            LoadError: if arguments are out of range, contradict each other, or do not fit the data.
        """
        output = OutputArguments(
            decode=decode, example=example, collate=collate, masks=masks, labels=labels
        )
        source = DataArguments(
            data=data, batch_size=batch_size, where=where, expand=expand, seed=seed,
            shuffle=shuffle, block=block, streams=streams, tail=tail, rank=rank,
            world_size=world_size,
        )  # fmt: skip
        schedule, digest = source.open()
        transform = output.to_transform(len(schedule.splits), BufferPool)
        self._start(schedule, digest, transform, options)

    def _start(
        self,
        schedule: Schedule,
        digest: str,
        transform: BatchTransform[Any],
        options: LoaderOptions | None,
    ) -> None:
        """Set up, at the first batch of epoch 0."""
        options = options or LoaderOptions(default_threads())
        self._schedule = schedule
        self._skips = SkipTracker(options.skip)
        self._reader = Reader(schedule.splits, self._skips, options.check, options.mmap)
        self._pipeline = BatchPipeline(transform, self._reader, options)
        self._state = LoaderState(0, 0, schedule.plan.batch, digest)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch."""
        return self._state.epoch

    @property
    def skipped(self) -> int:
        """Missing or damaged samples that were skipped so far, each counted once."""
        return self._skips.count

    @property
    def replaced(self) -> int:
        """Undamaged samples so far that could not make an example and were replaced by others."""
        return self._skips.replaced

    def __len__(self) -> int:
        """Batches in an epoch; the same on every rank."""
        return self._schedule.plan.batches(self.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Go to the first batch of an epoch, unless the loader is in this epoch already.

        Raises:
            LoadError: if the epoch is out of range.
        """
        if check_epoch(epoch) != self._state.epoch:
            self._state = self._state.at(epoch, 0)

    def state_dict(self) -> dict[str, int | str]:
        """Which batch comes next, in five values; the same on every rank."""
        return self._state.as_dict()

    def state_at(self, epoch: int, batch: int) -> dict[str, int | str]:
        """The state whose next batch is this one."""
        epoch, batch = (epoch, batch) if batch < len(self) else (epoch + 1, 0)
        return self._state.at(epoch, batch).as_dict()

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go to the batch of a saved state, of any rank; takes the same time for any batch.

        Raises:
            LoadError: if the state is of other data, another order or another batch size.
        """
        accepted = self.accept(state)
        total = self._schedule.plan.batches(accepted.epoch)
        if accepted.batch >= max(total, 1):
            raise LoadError(
                f"a state of batch {accepted.batch}, but epoch {accepted.epoch} has {total} batches"
            )
        self._state = accepted

    def accept(self, state: Mapping[str, int | str]) -> LoaderState:
        """A saved state, if it is of this data and order.

        Raises:
            LoadError: if it is not.
        """
        return self._state.accept(state)

    def close(self) -> None:
        """Close the files. Iterating opens them again."""
        self._reader.close()

    def __iter__(self) -> Iterator[Any]:
        """The rest of the epoch."""
        epoch, total = self._state.epoch, len(self)
        numbers = range(self._state.batch, total)
        with closing(self.run(epoch, numbers)) as batches:
            for number, batch in zip(numbers, batches, strict=True):
                after = (epoch, number + 1) if number + 1 < total else (epoch + 1, 0)
                self._state = self._state.at(*after)
                yield batch

    def run(self, epoch: int, numbers: range) -> Generator[Any]:
        """Some batches of an epoch; does not change which batch comes next."""
        requests = self._schedule.batches(epoch, numbers)
        try:
            yield from self._pipeline.run(requests)
        finally:
            for split in self._schedule.splits:
                split.files.stop_prefetch()
