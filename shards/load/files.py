"""Where the files of a split are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shards.errors import CorruptShardError


class Files(Protocol):
    """The files of one split, wherever they are."""

    where: str

    def path(self, name: str) -> Path:
        """The whole file, on a local disk."""

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Read exactly so many bytes."""

    def ahead(self, names: Sequence[str]) -> None:
        """Say which files are read next."""

    def close(self) -> None:
        """Close the files."""


class LocalFiles:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._open: dict[str, int] = {}

    def path(self, name: str) -> Path:
        """Where it is; whether it is there is seen by whoever opens it."""
        return self._folder / name

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on."""
        fd = self._open.get(name)
        if fd is None:
            try:
                fd = self._open[name] = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise CorruptShardError(f"{self.where}/{name}: {error.strerror}") from error
        found = os.preadv(fd, (out,), offset)
        if found != len(out):
            raise CorruptShardError(f"{self.where}/{name}, byte {offset}: the file ends early")

    def ahead(self, names: Sequence[str]) -> None:
        """Nothing: the kernel reads ahead by itself."""

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])


def open_files(where: str | Path) -> Files:
    """The files of a split in a folder."""
    return LocalFiles(Path(where))
