"""One split as a loader sees it: units to give, and where their bytes are.

A unit is a sample; or, where it is *expanded* over its captions or phrases, one of these. Rows of
the index are looked at as they are needed, in the mapped file: ten million cost nothing to open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shards.classes import CLASSES, read_classes
from shards.errors import CorruptShardError, LoadError
from shards.index.samples import SAMPLES, read_rows
from shards.load.reading.query import select
from shards.load.storage.files import SplitFiles, open_files
from shards.manifest import MANIFEST, Manifest, read_manifest
from shards.random import Ints

_COLUMNS = ("shard", "offset", "size", "checksum", "height", "width")
_SHARD_BITS = 32


class SampleLocations(NamedTuple):
    """Where samples are, one entry of each array for one unit.

    Attributes:
        rows: int64; number of the sample in its split.
        which: int64; number of the unit in its sample; -1 where samples are not expanded.
        shards: int64; number of the shard.
        offsets: int64; of the sample in its tar.
        sizes: int64; bytes of the sample in its tar.
        checksums: uint64; xxh3 of these.
        heights: int64; of the stored photo.
        widths: int64.
    """

    rows: Ints
    which: Ints
    shards: Ints
    offsets: Ints
    sizes: Ints
    checksums: NDArray[np.uint64]
    heights: Ints
    widths: Ints


def shard_keys(parts: Ints, shards: Ints) -> Ints:
    """One number for a split's number and a shard's in it; the same shape."""
    return parts << _SHARD_BITS | shards


def dataset_and_shard(key: int) -> tuple[int, int]:
    """What a key was made of."""
    return divmod(key, 1 << _SHARD_BITS)


class LocationTable:
    """Where a split's samples are, in the mapped index; batches of a table are separate arrays."""

    def __init__(self, rows: pa.Table) -> None:
        """Copy nothing.

        Args:
            rows: of `shards.index.samples`.
        """
        chunks = {name: rows.column(name).chunks for name in _COLUMNS}
        self._views: list[list[NDArray[np.generic]]] = [
            [_view(chunk) for chunk in chunks[name]] for name in _COLUMNS
        ]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks[_COLUMNS[0]])])

    def find(self, rows: Ints, which: Ints) -> SampleLocations:
        """Where some rows are, each with the number of the unit in its sample; int64 [n]."""
        shard, offset, size, checksum, height, width = self._take(rows)
        return SampleLocations(
            rows=rows,
            which=which,
            shards=shard.astype(np.int64),
            offsets=offset.astype(np.int64),
            sizes=size.astype(np.int64),
            checksums=checksum.astype(np.uint64),
            heights=height.astype(np.int64),
            widths=width.astype(np.int64),
        )

    def _take(self, rows: Ints) -> Sequence[NDArray[np.generic]]:
        chunk = np.searchsorted(self._starts, rows, side="right") - 1
        inside = rows - self._starts[chunk]
        numbers = np.unique(chunk)
        if len(numbers) == 1:
            return [views[numbers[0]][inside] for views in self._views]
        found = [np.empty(len(rows), views[0].dtype) for views in self._views]
        for number in numbers:
            here = np.flatnonzero(chunk == number)
            for out, views in zip(found, self._views, strict=True):
                out[here] = views[number][inside[here]]
        return found


def _view(chunk: pa.Array) -> NDArray[np.generic]:
    """Numbers of a column where they are; pyarrow's own way imports pandas where there is one."""
    kind = np.dtype(chunk.type.to_pandas_dtype())
    start = chunk.offset * kind.itemsize
    found: NDArray[np.generic] = np.frombuffer(chunk.buffers()[1], kind, len(chunk), start)
    return found


EXPANDS = ("regions", "masks", "boxes", "phrases", "captions", "conversations")
"""Columns that units can be counted by."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples of a split, and what of them, is to be given.

    Attributes:
        question: as `SampleIndex.where` takes it; empty takes all.
        expand: a column of counts: a sample is given once for each thing that it counts, and not at
            all where it counts none. Empty: every sample once.
    """

    question: str = ""
    expand: str = ""

    def __post_init__(self) -> None:
        """Refuse an unknown column.

        Raises:
            LoadError: naming those there are.
        """
        if self.expand and self.expand not in EXPANDS:
            raise LoadError(f"expand is {self.expand!r}; expected one of {', '.join(EXPANDS)}")


EVERYTHING = Selection()


class Split:
    """The units of a split, numbered in stored order."""

    def __init__(self, files: SplitFiles, chosen: Selection = EVERYTHING) -> None:
        """Open.

        Raises:
            CorruptShardError: if the manifest or the index is missing, damaged, or of another.
            LoadError: if the question is not understood.
        """
        self.files, self.chosen = files, chosen
        folder = files.path(MANIFEST).parent
        self.manifest: Manifest = read_manifest(folder)
        rows = read_rows(files.path(SAMPLES))
        if rows.num_rows != self.manifest.samples:
            raise CorruptShardError(
                f"{files.where}/{SAMPLES}: {rows.num_rows} rows, the manifest has "
                f"{self.manifest.samples} samples; `python -m shards.index` makes it anew"
            )
        self.names = [f"{info.name}.tar" for info in self.manifest.shards]
        self._ends = np.cumsum([info.samples for info in self.manifest.shards], dtype=np.int64)
        self._stored = LocationTable(rows)
        self._taken = self._take(rows, folder)
        self._units = self._count_units(rows)

    @classmethod
    def open(cls, where: str | Path, chosen: Selection = EVERYTHING) -> Self:
        """A split in a folder, or at a URL (docs/remote.md)."""
        return cls(open_files(where), chosen)

    def __reduce__(self) -> tuple[type[Self], tuple[SplitFiles, Selection]]:
        return type(self), (self.files, self.chosen)

    def __len__(self) -> int:
        """How many units."""
        if self._units is not None:
            return int(self._units[-1]) if len(self._units) else 0
        return self._samples

    @property
    def _samples(self) -> int:
        return self.manifest.samples if self._taken is None else len(self._taken)

    @property
    def sizes(self) -> Ints:
        """Units in each shard: int64 [shards]."""
        upto = self._ends
        if self._taken is not None:
            upto = np.searchsorted(self._taken, self._ends)
        if self._units is not None:
            upto = np.concatenate(([0], self._units)).astype(np.int64)[upto]
        return np.diff(upto, prepend=0)

    def places(self, units: Ints) -> SampleLocations:
        """Where some units are; int64 [n]."""
        which = np.full_like(units, -1)
        rows = units
        if self._units is not None:
            rows = np.searchsorted(self._units, units, side="right").astype(np.int64)
            which = units - np.where(rows > 0, self._units[rows - 1], 0)
        if self._taken is not None:
            rows = self._taken[rows].astype(np.int64)
        return self._stored.find(rows, which)

    def _take(self, rows: pa.Table, folder: Path) -> NDArray[np.uint32] | None:
        """The rows that a question is true of, or None for all."""
        if not self.chosen.question:
            return None
        names = {}
        if CLASSES in self.manifest.files:
            self.files.path(CLASSES)
            names = {info.id: info.name for info in read_classes(folder)}
        try:
            return select(rows, self.chosen.question, names).astype(np.uint32)
        except ValueError as error:
            raise LoadError(f"{self.files.where}: {error}") from error

    def _count_units(self, rows: pa.Table) -> Ints | None:
        """Where the units of each taken sample end, or None if each is one."""
        if not self.chosen.expand:
            return None
        counts = rows.column(self.chosen.expand)
        if self._taken is not None:
            counts = pc.take(counts, pa.array(self._taken))
        return np.cumsum(np.asarray(counts), dtype=np.int64)
