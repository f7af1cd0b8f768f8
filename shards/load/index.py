"""A split by its index: any sample by one `pread`, and questions that touch no tar."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError
from shards.index.write import open_listing
from shards.layout import from_members
from shards.load.query import select
from shards.sample import Sample
from shards.tar import BLOCK, split_name

_OPEN_FILES = 128


class SampleIndex:
    """The samples of a split by number, in stored order. A context manager.

    Opening maps the index into memory and reads none of it: ten million rows open as fast as ten.
    """

    def __init__(self, folder: Path) -> None:
        """Open a split.

        Raises:
            CorruptShardError: if its manifest or its index is missing or damaged.
        """
        self._listing = open_listing(folder)
        self._folder = folder
        self._files: OrderedDict[int, int] = OrderedDict()
        rows = self._listing.rows
        self._places = [rows.column(name) for name in ("shard", "offset", "size", "checksum")]
        self._names = [info.name for info in self._listing.manifest.shards]

    def __len__(self) -> int:
        """How many samples."""
        return int(self._listing.rows.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        while self._files:
            os.close(self._files.popitem()[1])

    def __getitem__(self, number: int) -> Sample:
        """The sample of that number.

        Raises:
            IndexError: if there is none.
            CorruptShardError: naming shard and offset, if its bytes are not those written.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard, offset, size, checksum = (column[number].as_py() for column in self._places)
        data = os.pread(self._file(shard), size, offset)
        where = f"{self._folder / self._names[shard]}.tar, byte {offset}"
        if len(data) != size or xxh3_64_intdigest(data) != checksum:
            raise CorruptShardError(
                f"{where}: sample {number} is not what was written; "
                f"`python -m shards.verify` tells more"
            )
        members = dict(_members(data))
        key = self._listing.rows.column("key")[number].as_py()
        return from_members(key, members)

    def where(self, question: str) -> NDArray[np.int64]:
        """Numbers of the samples that a question is true of, in order: int64 [found].

        `masks >= 3 and classes contains 'dog'`: columns of docs/format.md, compared by
        `= != < <= > >=` or searched by `contains`, all of them true.

        Raises:
            ValueError: saying what in the question is not understood.
        """
        return select(self._listing.rows, question, self._listing.classes)

    def _file(self, shard: int) -> int:
        found = self._files.pop(shard, None)
        if found is None:
            path = self._folder / f"{self._names[shard]}.tar"
            try:
                found = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise CorruptShardError(f"{path}: {error.strerror}") from error
        self._files[shard] = found
        if len(self._files) > _OPEN_FILES:
            os.close(self._files.popitem(last=False)[1])
        return found


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(extension, content) of each member of one sample; the checksum has vouched for the bytes."""
    place = 0
    while place < len(data):
        name = data[place : place + 100].rstrip(b"\0").decode("ascii")
        size = int(data[place + 124 : place + 135], 8)
        place += BLOCK
        yield split_name(name)[1], data[place : place + size]
        place += -(-size // BLOCK) * BLOCK
