"""Samples read from their shards and checked, many in one call where that is possible.

Python takes longer to request a sample than memory takes to deliver it, and only one thread at a
time can do so. The compiled reader has neither limit. Samples are read one by one if it is missing,
if they are at a URL, or if anything is wrong with one of the batch.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shards.errors import (
    CorruptShardError,
    ExampleError,
    LoadError,
    MaskError,
    SampleError,
    ShardError,
)
from shards.load.reading.batch import BatchRequest, BufferPool, RawBatch, RawSample
from shards.load.reading.mmap import MmapReader
from shards.load.reading.split import Split, dataset_and_shard, shard_keys
from shards.load.storage.files import FilePool, LocalFiles, read_checked
from shards.random import key_of

try:
    from shards.load.reading import _read
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True

DAMAGED = (CorruptShardError, SampleError, MaskError)
"""Errors of one damaged sample, which may be skipped. No other error is skipped."""
_log = logging.getLogger("shards.load")


class SkipTracker:
    """Counts skipped samples, up to a limit. Thread-safe.

    Attributes:
        replaced: undamaged samples that could not make an example, and were replaced by others.
    """

    def __init__(self, limit: int) -> None:
        """Start with none.

        Args:
            limit: how many samples may be skipped; 0 skips none.
        """
        self._limit, self._lock = limit, Lock()
        self._skipped: set[tuple[int, int]] = set()
        self.replaced = 0

    @property
    def count(self) -> int:
        """Skipped samples; one that comes again in a later epoch counts once."""
        return len(self._skipped)

    def skip(self, error: ShardError, dataset_index: int, row: int) -> None:
        """Skip a sample, and log it.

        Args:
            error: what is wrong with it.
            dataset_index: its dataset.
            row: its number in the split.

        Raises:
            ShardError: the error itself, if no sample may be skipped.
            LoadError: if this is one sample too many.
        """
        if not self._limit:
            raise error
        with self._lock:
            if (dataset_index, row) in self._skipped:
                return
            self._skipped.add((dataset_index, row))
            count = self.count
        if count > self._limit:
            raise LoadError(
                f"{count} samples could not be loaded, and skip={self._limit} allows no more; "
                f"the last: {error}"
            ) from error
        _log.warning("skipped a sample (%d of at most %d): %s", count, self._limit, error)

    def replace(self, error: ExampleError) -> None:
        """Count an undamaged sample that is replaced by another, and log it."""
        with self._lock:
            self.replaced += 1
        _log.info("replaced a sample by another: %s", error)


_TRIES = 100


@dataclass(frozen=True)
class Reader:
    """Reads what a `BatchRequest` names. Threads share it.

    Attributes:
        splits: the datasets, by index.
        skips: counts the damaged samples that are skipped.
        check: compare each sample with its checksum.
        mmap: give samples in memory-mapped files, where that is possible.
        buffers: memory to read into.
    """

    splits: Sequence[Split]
    skips: SkipTracker
    check: bool = True
    mmap: bool = False
    buffers: BufferPool = field(default_factory=BufferPool)

    @cached_property
    def _native(self) -> "NativeReader":
        return NativeReader(self.splits)

    @cached_property
    def _mapped(self) -> MmapReader | None:
        return MmapReader(self.splits) if self.mmap else None

    def read(self, request: BatchRequest, positions: range) -> RawBatch:
        """Read some samples of a request.

        Raises:
            CorruptShardError: naming file and offset, unless the sample may be skipped.
            LoadError: if a server does not answer or refuses, or no more files can be opened.
        """
        part = request.select(positions)
        if self._mapped:
            views = self._mapped.read(part, check=self.check)
            if views is not None:
                return RawBatch(request, views, positions)
        sizes = part.locations.sizes
        memory = self.buffers.take(int(sizes.sum()))
        if self._native.read(part, memory, check=self.check):
            return RawBatch(request, _cut(memory.data, sizes), positions)
        return self._read_each(request, positions, _cut(memory.data, sizes))

    def close(self) -> None:
        """Close the files."""
        self._native.close()
        if self._mapped:
            self._mapped.close()
        for split in self.splits:
            split.files.close()

    def _read_each(
        self, request: BatchRequest, positions: range, buffers: Sequence[memoryview]
    ) -> RawBatch:
        """Read samples one by one: files are remote, or something is wrong with one."""
        here, locations = slice(positions.start, positions.stop), request.locations
        data: list[memoryview] = []
        valid: list[int] = []
        rows = zip(
            positions,
            buffers,
            request.dataset_indices[here].tolist(),
            locations.rows[here].tolist(),
            locations.shards[here].tolist(),
            locations.offsets[here].tolist(),
            locations.checksums[here].tolist(),
            strict=True,
        )
        for position, buffer, dataset_index, row, shard, offset, checksum in rows:
            split = self.splits[dataset_index]
            files, name = split.files, split.names[shard]
            try:
                if self.check:
                    read_checked(files, name, offset, buffer, checksum)
                else:
                    files.read_into(name, offset, buffer)
            except CorruptShardError as error:
                self.skips.skip(error, dataset_index, row)
            else:
                data.append(buffer)
                valid.append(position)
        return RawBatch(request, data, valid)

    def replacement(self, raw: RawSample, error: ExampleError, tries: int) -> RawSample | None:
        """A sample of the same dataset in place of one that cannot make an example.

        The seed of the first sample determines which one: all ranks and threads take the same.
        None, if the other sample is damaged and skipped.

        Args:
            raw: the sample to replace.
            error: why it cannot make an example.
            tries: replacements that were tried before, for the same example.

        Raises:
            LoadError: if too many were tried: the examples do not fit the data.
        """
        if tries == _TRIES:
            raise LoadError(
                f"none of {_TRIES} samples drawn at random could make an example; the last: {error}"
            ) from error
        self.skips.replace(error)
        split, seed = self.splits[raw.dataset_index], key_of(raw.seed, 1)
        location = split.locate(np.array([seed % len(split)], np.int64))
        indices, seeds = np.array([raw.dataset_index], np.int64), np.array([seed], np.uint64)
        keys = shard_keys(indices, location.shards)
        batch = self.read(BatchRequest(0, 0, indices, keys, location, seeds), range(1))
        return batch[0] if len(batch) else None


def _cut(memory: memoryview, sizes: NDArray[np.int64]) -> list[memoryview]:
    """Contiguous pieces of memory, one after the other."""
    ends = np.cumsum(sizes).tolist()
    return [memory[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]


class NativeReader:
    """Reads and checks many samples of local splits in one compiled call. Thread-safe."""

    def __init__(self, splits: Sequence[Split]) -> None:
        """Open nothing yet.

        Args:
            splits: the datasets, by index.
        """
        self._usable = COMPILED and all(type(split.files) is LocalFiles for split in splits)
        self._pool = FilePool(partial(_open_shard, splits))

    def close(self) -> None:
        """Close the files; one that is being read is closed after the read."""
        self._pool.clear()

    def read(self, request: BatchRequest, out: NDArray[np.uint8], *, check: bool) -> bool:
        """Read samples one after the other; False if they must be read one by one instead.

        Args:
            request: which samples.
            out: uint8 [their bytes].
            check: compare each sample with its checksum.

        Raises:
            LoadError: if this process cannot open more files.
        """
        locations = request.locations
        if not self._usable or not len(request):
            return False
        try:
            # These references keep the files open until all samples are read.
            files = [self._pool.open(key) for key in request.shard_keys.tolist()]
        except OSError:
            return False
        descriptors = np.array([file.fd for file in files], np.int32)
        checksums = locations.checksums if check else None
        valid = _read.read(descriptors, locations.offsets, locations.sizes, checksums, out)
        return valid == len(files)


def _open_shard(splits: Sequence[Split], key: int) -> int:
    dataset_index, shard = dataset_and_shard(key)
    split = splits[dataset_index]
    return os.open(split.files.path(split.names[shard]), os.O_RDONLY | os.O_CLOEXEC)
