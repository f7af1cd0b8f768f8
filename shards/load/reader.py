"""Samples read from their shards, and checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Never

import numpy as np
from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError, ExampleError, LoadError
from shards.load.losses import Losses
from shards.load.memory import Memory
from shards.load.raw import Asked, RawBatch, RawSample
from shards.load.shuffle import key_of
from shards.load.split import Split

_TRIES = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what is asked for. Threads share it.

    Attributes:
        splits: by number.
        losses: what becomes of samples that are missing or damaged.
        check: compare each with its checksum.
        memory: to read into.
    """

    splits: Sequence[Split]
    losses: Losses
    check: bool = True
    memory: Memory = field(default_factory=Memory)

    def read(self, asked: Asked, places: range) -> RawBatch:
        """Read some samples of a share.

        Raises:
            CorruptShardError: naming file and offset, unless it is to be skipped.
        """
        here, found = slice(places.start, places.stop), asked.found
        sizes = found.sizes[here].tolist()
        whole = self.memory.take(sum(sizes)).data
        data: list[memoryview] = []
        lost: set[int] = set()
        rows = zip(
            places,
            asked.parts[here].tolist(),
            found.shards[here].tolist(),
            found.offsets[here].tolist(),
            sizes,
            found.checksums[here].tolist(),
            strict=True,
        )
        start = 0
        for place, part, shard, offset, size, checksum in rows:
            out = whole[start : start + size]
            start += size
            split = self.splits[part]
            try:
                split.files.read_into(split.names[shard], offset, out)
                if self.check and xxh3_64_intdigest(out) != checksum:
                    _refuse(f"{split.files.where}/{split.names[shard]}", offset)
            except CorruptShardError as error:
                self.losses.add(error)
                lost.add(place)
            else:
                data.append(out)
        return RawBatch(asked, data, [place for place in places if place not in lost])

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
        self.losses.replace(error)
        split, seed = self.splits[raw.part], key_of(raw.seed, 1)
        units = np.array([seed % len(split)], np.int64)
        parts, seeds = np.array([raw.part], np.int64), np.array([seed], np.uint64)
        found = self.read(Asked(0, 0, parts, split.places(units), seeds), range(1))
        return found[0] if len(found) else None


def _refuse(file: str, offset: int) -> Never:
    raise CorruptShardError(
        f"{file}, byte {offset}: the sample is not what was written; `python -m shards.verify` "
        f"tells more"
    )
