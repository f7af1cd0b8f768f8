"""Where the files of a split are: a folder here, or a URL in `shards.load.storage.remote`."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError, LoadError
from shards.load.storage.background import Background
from shards.load.storage.cache import Cache
from shards.load.storage.file_pool import FilePool, OpenFile
from shards.load.storage.page_cache import is_in_memory, read_ahead


class SplitFiles(Protocol):
    """The files of one split, wherever they are.

    Attributes:
        where: folder or URL, for messages; never holds a secret.
    """

    where: str

    def path(self, name: str) -> Path:
        """The whole file, on a local disk; waits until it is there.

        Raises:
            CorruptShardError: if it is elsewhere and missing there, or not what was written.
        """

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on. Threads may do so at once.

        Raises:
            CorruptShardError: naming file and offset, if it is missing or too short.
        """

    def doubt(self, name: str, /) -> bool:
        """Say that a file is not what was written; whether another copy of it will be read now."""

    def ahead(self, names: Sequence[str]) -> None:
        """Say which whole shards are read next, in that order; returns at once."""

    def stop_prefetch(self) -> None:
        """Say that what was announced is not read any more."""

    def close(self) -> None:
        """Let go of files and threads. Reading again opens them again."""


class LocalFiles:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._open = FilePool(partial(_open_file, folder))
        self._ahead = Background(partial(_read_ahead, folder), most=1)

    def __repr__(self) -> str:
        return f"LocalFiles({self.where!r})"

    def __reduce__(self) -> tuple[type["LocalFiles"], tuple[Path]]:
        return type(self), (self._folder,)

    def path(self, name: str) -> Path:
        """Where it is; whether it is there is seen by whoever opens it."""
        return self._folder / name

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on."""
        try:
            found = self._open.read(name, offset, out)
        except OSError as error:
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: {error.strerror}; copy the split again, or "
                f"ask `python -m shards.verify {self.where}` what else is missing"
            ) from error
        if found != len(out):
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {found}; copy it again, or make it anew with `python -m convert.run`"
            )

    def doubt(self, _name: str, /) -> bool:
        """There is no other."""
        return False

    def ahead(self, names: Sequence[str]) -> None:
        """Have the kernel read these while others are worked on, unless it has them."""
        # To look costs less than to begin a thread that does, where nothing has to be waited for.
        for number, name in enumerate(names):
            if not self._is_in_memory(name):
                self._ahead.add(names[number:])
                return

    def _is_in_memory(self, name: str) -> bool:
        try:
            file = OpenFile(_open_file(self._folder, name))
            return is_in_memory(file.fd, os.fstat(file.fd).st_size)
        except OSError:  # whoever reads the file says what is wrong with it
            return False

    def stop_prefetch(self) -> None:
        """Let go of the thread that asks the kernel."""
        self._ahead.stop()

    def close(self) -> None:
        """Let go of files and threads."""
        self._ahead.stop()
        self._open.forget()


def read_sound(files: SplitFiles, name: str, offset: int, out: memoryview, checksum: int) -> None:
    """Fill `out` with a sample that is as it was written.

    Args:
        files: of its split.
        name: of its shard.
        offset: of it in there.
        out: bytes for all of it.
        checksum: xxh3 of these.

    Raises:
        CorruptShardError: naming file and offset, if it is missing, or another.
        LoadError: if a server does not answer or refuses, or no more files can be opened.
    """
    for first in (True, False):
        files.read_into(name, offset, out)
        if xxh3_64_intdigest(out) == checksum:
            return
        if first and not files.doubt(name):
            break
    raise CorruptShardError(
        f"{files.where}/{name}, byte {offset}: the sample is not what was written; "
        f"`python -m shards.verify` tells more"
    )


def _open_file(folder: Path, name: str) -> int:
    return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)


def _read_ahead(folder: Path, name: str, stop: Event) -> None:
    with suppress(OSError):  # only a hint: whoever reads the file says what is wrong with it
        file = OpenFile(_open_file(folder, name))
        read_ahead(file.fd, stop)


def open_files(where: str | Path, *, cache: Cache | None = None) -> SplitFiles:
    """The files of a split.

    Args:
        where: a folder, or an http://, https:// or s3:// URL of one.
        cache: for a URL: where whole shards are kept. None asks GLAMM_SHARDS_CACHE and
            GLAMM_SHARDS_CACHE_BYTES; without these, each read is a request.

    Raises:
        CorruptShardError: if a URL has no manifest, or a damaged one.
        LoadError: if a URL is not understood, or its server does not answer or refuses.
    """
    if isinstance(where, Path) and where.parts[:1] in {("http:",), ("https:",), ("s3:",)}:
        raise LoadError(f"{where}: a Path holds no URL; expected a str")
    if isinstance(where, str) and "://" in where:
        from shards.load.storage.remote import RemoteFiles

        return RemoteFiles(where, cache or Cache.from_environment())
    return LocalFiles(Path(where))
