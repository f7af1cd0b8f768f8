"""Where the files of a split are: a folder here, or a URL in `shards.load.remote`."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from shards.errors import CorruptShardError, LoadError
from shards.load.background import Background
from shards.load.cache import Cache
from shards.load.descriptors import Descriptors, OpenFile

_STRETCH = 1 << 17
"""Bytes that the kernel is asked to read at once. It reads no more than its device's read-ahead,
however much is asked for, and 128 KiB is the least that is usual."""

_PROBES = 16


class Files(Protocol):
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

    def ahead(self, names: Sequence[str]) -> None:
        """Say which whole shards are read next, in that order; returns at once."""

    def stop_ahead(self) -> None:
        """Say that what was announced is not read any more."""

    def close(self) -> None:
        """Let go of files and threads. Reading again opens them again."""


class LocalFiles:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._open = Descriptors(partial(_open_file, folder))
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

    def stop_ahead(self) -> None:
        """Let go of the thread that asks the kernel."""
        self._ahead.stop()

    def close(self) -> None:
        """Let go of files and threads."""
        self._ahead.stop()
        self._open.forget()


def _open_file(folder: Path, name: str) -> int:
    return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)


def _read_ahead(folder: Path, name: str, stop: Event) -> None:
    """Only a hint: whoever reads the file says what is wrong with it."""
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        fd = _open_file(folder, name)
    except OSError:
        return
    try:
        size = os.fstat(fd).st_size
        if is_in_memory(fd, size):
            return
        for start in range(0, size, _STRETCH):
            if stop.is_set():
                return
            os.posix_fadvise(fd, start, _STRETCH, os.POSIX_FADV_WILLNEED)
    except OSError:
        return
    finally:
        os.close(fd)


def is_in_memory(fd: int, size: int) -> bool:
    """Whether the kernel has the file, as far as some probes show: asking for it all costs time."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    byte = bytearray(1)
    try:
        for number in range(_PROBES):
            os.preadv(fd, (byte,), size * number // _PROBES, os.RWF_NOWAIT)
    except OSError:  # it would have to wait for the disk, or the file system cannot say
        return False
    return True


def open_files(where: str | Path, *, cache: Cache | None = None) -> Files:
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
        from shards.load.remote import RemoteFiles

        return RemoteFiles(where, cache or Cache.from_environment())
    return LocalFiles(Path(where))
