"""Samples read from their shards, and checked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
from shards.load.reading.batch import BatchRequest, RawBatch, RawSample
from shards.load.reading.buffers import BufferPool
from shards.load.reading.mmap import MmapReader
from shards.load.reading.native import NativeReader
from shards.load.reading.split import Split, shard_keys
from shards.load.storage.files import read_sound
from shards.random import key_of

DAMAGED = (CorruptShardError, SampleError, MaskError)
"""What is wrong with one sample. Any other error is the loader's, and none to be skipped."""
_log = logging.getLogger("shards.load")


class SkipTracker:
    """Counts the samples that were skipped, up to a limit. Threads may share it."""

    def __init__(self, limit: int) -> None:
        """Begin at none.

        Args:
            limit: how many may be skipped; 0 skips none.
        """
        self._limit, self._lock = limit, Lock()
        self._skipped: set[tuple[int, int]] = set()
        self.replaced = 0

    @property
    def count(self) -> int:
        """Samples that were skipped; each is met again in every epoch, and counts once."""
        return len(self._skipped)

    def add(self, error: ShardError, part: int, row: int) -> None:
        """Skip a sample, and log it.

        Args:
            error: what is wrong with it.
            part: number of its dataset.
            row: its own in there.

        Raises:
            ShardError: the error itself, where none may be skipped.
            LoadError: if this is one too many.
        """
        if not self._limit:
            raise error
        with self._lock:
            if (part, row) in self._skipped:
                return
            self._skipped.add((part, row))
            count = self.count
        if count > self._limit:
            raise LoadError(
                f"{count} samples could not be loaded, and skip={self._limit} allows no more; "
                f"the last: {error}"
            ) from error
        _log.warning("skipped a sample (%d of at most %d): %s", count, self._limit, error)

    def replace(self, error: ExampleError) -> None:
        """Count a sound sample in whose place another is given, and log it."""
        with self._lock:
            self.replaced += 1
        _log.info("gave another sample: %s", error)


_TRIES = 100


@dataclass(frozen=True)
class Reader:
    """Reads what is asked for. Threads share it.

    Attributes:
        splits: by number.
        losses: what becomes of samples that are missing or damaged.
        check: compare each with its checksum.
        mapped: give samples where they are in memory, as far as files can be mapped.
        memory: to read into.
    """

    splits: Sequence[Split]
    skips: SkipTracker
    check: bool = True
    mapped: bool = False
    memory: BufferPool = field(default_factory=BufferPool)

    @cached_property
    def _bulk(self) -> NativeReader:
        return NativeReader(self.splits)

    @cached_property
    def _maps(self) -> MmapReader | None:
        return MmapReader(self.splits) if self.mapped else None

    def read(self, asked: BatchRequest, places: range) -> RawBatch:
        """Read some samples of a share.

        Raises:
            CorruptShardError: naming file and offset, unless it is to be skipped.
            LoadError: if a server does not answer or refuses, or no more files can be opened.
        """
        some = asked.some(places)
        if self._maps:
            seen = self._maps.read(some, check=self.check)
            if seen is not None:
                return RawBatch(asked, seen, places)
        sizes = some.found.sizes
        whole = self.memory.take(int(sizes.sum()))
        if self._bulk.read(some.tars, some.found, whole, check=self.check):
            return RawBatch(asked, _cut(whole.data, sizes), places)
        return self._read_each(asked, places, _cut(whole.data, sizes))

    def close(self) -> None:
        """Close the files."""
        self._bulk.close()
        if self._maps:
            self._maps.close()
        for split in self.splits:
            split.files.close()

    def _read_each(
        self, asked: BatchRequest, places: range, outs: Sequence[memoryview]
    ) -> RawBatch:
        """The same, where files are elsewhere, or something is wrong with one."""
        here, found = slice(places.start, places.stop), asked.found
        data: list[memoryview] = []
        kept: list[int] = []
        rows = zip(
            places,
            outs,
            asked.parts[here].tolist(),
            found.rows[here].tolist(),
            found.shards[here].tolist(),
            found.offsets[here].tolist(),
            found.checksums[here].tolist(),
            strict=True,
        )
        for place, out, part, row, shard, offset, checksum in rows:
            split = self.splits[part]
            files, name = split.files, split.names[shard]
            try:
                if self.check:
                    read_sound(files, name, offset, out, checksum)
                else:
                    files.read_into(name, offset, out)
            except CorruptShardError as error:
                self.skips.add(error, part, row)
            else:
                data.append(out)
                kept.append(place)
        return RawBatch(asked, data, kept)

    def another(self, raw: RawSample, error: ExampleError, tries: int) -> RawSample | None:
        """A sample of the same dataset in place of one that cannot make an example.

        Which one, depends on the seed of the first alone: all that share a batch would take the
        same. None, if the other cannot be read and is to be skipped.

        Args:
            raw: the one in whose place another is wanted.
            error: why.
            tries: how many were tried before, for the same place.

        Raises:
            LoadError: if too many were tried: the examples do not fit the data.
        """
        if tries == _TRIES:
            raise LoadError(
                f"none of {_TRIES} samples drawn at random could make an example; the last: {error}"
            ) from error
        self.skips.replace(error)
        split, seed = self.splits[raw.part], key_of(raw.seed, 1)
        place = split.places(np.array([seed % len(split)], np.int64))
        parts, seeds = np.array([raw.part], np.int64), np.array([seed], np.uint64)
        asked = BatchRequest(0, 0, parts, shard_keys(parts, place.shards), place, seeds)
        found = self.read(asked, range(1))
        return found[0] if len(found) else None


def _cut(whole: memoryview, sizes: NDArray[np.int64]) -> list[memoryview]:
    """Memory in pieces, one after the other."""
    ends = np.cumsum(sizes).tolist()
    return [whole[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]
