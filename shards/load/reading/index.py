"""A split by its index: any sample by one read, and queries that open no tar."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shards.classes import CLASSES
from shards.index.samples import SAMPLES
from shards.index.write import open_listing
from shards.layout import from_members
from shards.load.reading.query import select
from shards.load.storage.files import open_files, read_checked
from shards.manifest import MANIFEST, read_manifest
from shards.sample import Sample
from shards.tar import parse_sample


class SampleIndex:
    """The samples of a split by number, in stored order. A context manager.

    `len(index)` is the number of samples, `index[5]` reads one, `index.where(query)` finds some.
    Opening maps the index into memory and reads nothing: ten million rows open as fast as ten.
    """

    def __init__(self, location: str | Path) -> None:
        """Open a split.

        Args:
            location: its folder or URL (docs/remote.md).

        Raises:
            CorruptShardError: if its manifest or its index is missing or damaged.
            LoadError: if a URL is not valid, or its server does not answer or refuses.
        """
        self._files = open_files(location)
        folder = self._files.path(MANIFEST).parent
        manifest = read_manifest(folder)
        self._files.path(SAMPLES)
        if CLASSES in manifest.files:
            self._files.path(CLASSES)
        self._listing = open_listing(folder, manifest)
        rows = self._listing.rows
        self._columns = [rows.column(name) for name in ("shard", "offset", "size", "checksum")]
        self._names = [f"{info.name}.tar" for info in manifest.shards]

    def __len__(self) -> int:
        """Number of samples."""
        return int(self._listing.rows.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._files.close()

    def __getitem__(self, number: int) -> Sample:
        """The sample of that number.

        Raises:
            IndexError: if there is none.
            CorruptShardError: naming shard and offset, if its bytes are not what was written.
            LoadError: if the server of a URL does not answer or refuses.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard, offset, size, checksum = (column[number].as_py() for column in self._columns)
        data = memoryview(bytearray(size))
        read_checked(self._files, self._names[shard], offset, data, checksum)
        key, members = parse_sample(data)
        return from_members(key, members)

    def where(self, query: str) -> NDArray[np.int64]:
        """Numbers of the samples that match a query, in order: int64 [matches].

        `masks >= 3 and classes contains 'dog'`: columns of docs/format.md, compared by
        `= != < <= > >=` or searched by `contains`. All terms must be true.

        Raises:
            ValueError: saying which part of the query is not valid.
        """
        return select(self._listing.rows, query, self._listing.classes)
