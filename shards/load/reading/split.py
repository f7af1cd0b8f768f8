"""One split as a loader sees it: numbered examples, and where their bytes are.

An example is a sample; or, with `expand`, one of its captions, phrases... Rows of the index are
read from the mapped file when they are needed: ten million cost nothing to open.
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
    """Where samples are; each array has one entry per example.

    Attributes:
        rows: int64; number of the sample in its split.
        item_indices: int64; with `expand`, number of the caption, phrase... in its sample; else -1.
        shards: int64; number of the shard.
        offsets: int64; of the sample in its tar.
        sizes: int64; bytes of the sample in its tar.
        checksums: uint64; xxh3 of these bytes.
        heights: int64; of the stored photo.
        widths: int64; of the stored photo.
    """

    rows: Ints
    item_indices: Ints
    shards: Ints
    offsets: Ints
    sizes: Ints
    checksums: NDArray[np.uint64]
    heights: Ints
    widths: Ints


def shard_keys(dataset_indices: Ints, shards: Ints) -> Ints:
    """One number for a dataset and one of its shards; same shape."""
    return dataset_indices << _SHARD_BITS | shards


def dataset_and_shard(key: int) -> tuple[int, int]:
    """(dataset index, shard) of a key: the inverse of `shard_keys`.

    >>> dataset_and_shard(int(shard_keys(np.array(3), np.array(7))))
    (3, 7)
    """
    return divmod(key, 1 << _SHARD_BITS)


class LocationTable:
    """Where a split's samples are, read from the mapped index, one array per record batch."""

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

    def find(self, rows: Ints, item_indices: Ints) -> SampleLocations:
        """Where some rows are, each with its item index; int64 [n]."""
        shard, offset, size, checksum, height, width = self._take(rows)
        return SampleLocations(
            rows=rows,
            item_indices=item_indices,
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
        columns = [np.empty(len(rows), views[0].dtype) for views in self._views]
        for number in numbers:
            here = np.flatnonzero(chunk == number)
            for column, views in zip(columns, self._views, strict=True):
                column[here] = views[number][inside[here]]
        return columns


def _view(chunk: pa.Array) -> NDArray[np.generic]:
    """A column's numbers, not copied; pyarrow's own method imports pandas if it is installed."""
    kind = np.dtype(chunk.type.to_pandas_dtype())
    start = chunk.offset * kind.itemsize
    view: NDArray[np.generic] = np.frombuffer(chunk.buffers()[1], kind, len(chunk), start)
    return view


EXPANDS = ("regions", "masks", "boxes", "phrases", "captions", "conversations")
"""Columns that samples can be expanded over."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples of a split to load, and how often each.

    Attributes:
        where: a query as `SampleIndex.where` takes it; empty: all samples.
        expand: a column of counts: a sample is loaded once for each item that the column counts,
            and not at all if it has none. Empty: every sample once.
    """

    where: str = ""
    expand: str = ""

    def __post_init__(self) -> None:
        """Check the column.

        Raises:
            LoadError: naming the columns that samples can be expanded over.
        """
        if self.expand and self.expand not in EXPANDS:
            raise LoadError(f"expand is {self.expand!r}; expected one of {', '.join(EXPANDS)}")


EVERYTHING = Selection()


class Split:
    """The examples of a split, numbered in stored order."""

    def __init__(self, files: SplitFiles, selection: Selection = EVERYTHING) -> None:
        """Open a split.

        Args:
            files: of the split; `Split.open` takes its folder or URL instead.
            selection: which samples, and how often each.

        Raises:
            CorruptShardError: if the manifest or the index is missing or damaged, or they do not
                fit each other.
            LoadError: if the query is not valid.
        """
        self.files, self.selection = files, selection
        folder = files.path(MANIFEST).parent
        self.manifest: Manifest = read_manifest(folder)
        rows = read_rows(files.path(SAMPLES))
        if rows.num_rows != self.manifest.samples:
            raise CorruptShardError(
                f"{files.location}/{SAMPLES}: {rows.num_rows} rows, the manifest has "
                f"{self.manifest.samples} samples; `python -m shards.verify` says how to repair it"
            )
        self.names = [f"{info.name}.tar" for info in self.manifest.shards]
        self._ends = np.cumsum([info.samples for info in self.manifest.shards], dtype=np.int64)
        self._table = LocationTable(rows)
        self._selected = self._select(rows, folder)
        self._example_ends = self._count_examples(rows)

    @classmethod
    def open(cls, location: str | Path, selection: Selection = EVERYTHING) -> Self:
        """The split in a folder, or at a URL (docs/remote.md)."""
        return cls(open_files(location), selection)

    def __reduce__(self) -> tuple[type[Self], tuple[SplitFiles, Selection]]:
        return type(self), (self.files, self.selection)

    def __len__(self) -> int:
        """Number of examples."""
        if self._example_ends is not None:
            return int(self._example_ends[-1]) if len(self._example_ends) else 0
        return self._samples

    @property
    def _samples(self) -> int:
        return self.manifest.samples if self._selected is None else len(self._selected)

    @property
    def sizes(self) -> Ints:
        """Examples in each shard: int64 [shards]."""
        ends = self._ends
        if self._selected is not None:
            ends = np.searchsorted(self._selected, self._ends)
        if self._example_ends is not None:
            ends = np.concatenate(([0], self._example_ends)).astype(np.int64)[ends]
        return np.diff(ends, prepend=0)

    def locate(self, examples: Ints) -> SampleLocations:
        """Where the samples of some examples are; int64 [n]."""
        item_indices = np.full_like(examples, -1)
        rows = examples
        if self._example_ends is not None:
            rows = np.searchsorted(self._example_ends, examples, side="right").astype(np.int64)
            item_indices = examples - np.where(rows > 0, self._example_ends[rows - 1], 0)
        if self._selected is not None:
            rows = self._selected[rows].astype(np.int64)
        return self._table.find(rows, item_indices)

    def _select(self, rows: pa.Table, folder: Path) -> NDArray[np.uint32] | None:
        """The rows that match the query, or None for all."""
        if not self.selection.where:
            return None
        names = {}
        if CLASSES in self.manifest.files:
            self.files.path(CLASSES)
            names = {info.id: info.name for info in read_classes(folder)}
        try:
            return select(rows, self.selection.where, names).astype(np.uint32)
        except ValueError as error:
            raise LoadError(f"{self.files.location}: {error}") from error

    def _count_examples(self, rows: pa.Table) -> Ints | None:
        """Where the examples of each selected sample end; None if each sample is one example."""
        if not self.selection.expand:
            return None
        counts = rows.column(self.selection.expand)
        if self._selected is not None:
            counts = pc.take(counts, pa.array(self._selected))
        return np.cumsum(np.asarray(counts), dtype=np.int64)
