"""Open files, at most so many in a process, which threads read at once."""

import errno
import os
import resource
from collections.abc import Callable, Hashable
from itertools import count
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from shards.errors import LoadError

K = TypeVar("K", bound=Hashable)
_LEAST, _MOST = 16, 1024


def most_files() -> int:
    """Files that stay open in this process: a quarter of what the system allows it."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST
    return min(max(allowed // 4, _LEAST), _MOST)


class OpenFile:
    """A descriptor that is closed when nobody refers to it any more, not while one reads.

    Attributes:
        fd: the descriptor.
        used: when it was asked for last, as this process counts.
    """

    __slots__ = ("fd", "used")

    def __init__(self, fd: int, used: int = 0) -> None:
        self.fd, self.used = fd, used

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class FilePool(Generic[K]):
    """Open files by name. A file that is open is read without a lock."""

    def __init__(self, opener: Callable[[K], int]) -> None:
        """Begin with none.

        Args:
            opener: gives a descriptor, which is then ours to close.
        """
        self._opener = opener
        self._files: dict[K, OpenFile] = {}
        self._before = 0
        with _process.lock:
            _process.all.add(self)

    def __len__(self) -> int:
        """Files that are open."""
        return len(self._files)

    def forget(self) -> None:
        """Close all that nobody is reading."""
        with _process.lock:
            self._files = {}

    def read(self, name: K, offset: int, out: memoryview) -> int:
        """Bytes read into `out`: fewer than it has only where the file ends.

        Raises:
            As `open`.
        """
        file = self.open(name)
        found = os.preadv(file.fd, (out,), offset)
        while found < len(out):  # a signal, or more than 2 GiB
            more = os.preadv(file.fd, (out[found:],), offset + found)
            if not more:
                break
            found += more
        return found

    def open(self, name: K, opener: Callable[[K], int] | None = None) -> OpenFile:
        """Open a file, unless it is. Those that were not read for longest may be closed for it.

        Raises:
            LoadError: if this process may open no more.
            OSError: as the opener does.
        """
        file = self._files.get(name)
        if file is not None:
            file.used = next(_process.now)
            return file
        file = OpenFile(_descriptor(opener or self._opener, name), next(_process.now))
        with _process.lock:
            if name in self._files:
                return self._files[name]
            _process.evict()
            self._files[name] = file
        return file

    def close(self, name: K) -> None:
        """Close one, unless somebody is reading it."""
        with _process.lock:
            self._files.pop(name, None)

    def close_unused(self) -> None:
        """Close those that were not read since this was last called."""
        with _process.lock:
            self.drop([name for name, file in self._files.items() if file.used < self._before])
            self._before = next(_process.now)

    def drop(self, names: list[K]) -> None:
        """Close some. For whoever holds the process's lock."""
        for name in names:
            del self._files[name]

    def by_use(self) -> list[tuple[int, "FilePool[K]", K]]:
        """(used, these, name) of each. For whoever holds the process's lock."""
        return [(file.used, self, name) for name, file in self._files.items()]


def _descriptor(opener: Callable[[K], int], name: K) -> int:
    """Open a file, if need be in the place of all others that nobody is reading."""
    try:
        return opener(name)
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            raise
    _process.close_all()
    try:
        return opener(name)
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            raise
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise LoadError(
            f"no file can be opened any more ({error.strerror}); `ulimit -n` allows this process "
            f"{allowed}: raise it, or hold fewer loaders, or fewer samples of mapped files"
        ) from error


class _Process:
    """The open files of all loaders of this process."""

    def __init__(self) -> None:
        self.all: WeakSet[FilePool[Any]] = WeakSet()
        self.now = count()
        self.lock = Lock()

    def evict(self) -> None:
        """For one more; an eighth at a time, since to look for one takes as long."""
        most = most_files()
        if sum(map(len, self.all)) < most:
            return
        eldest = sorted((each for files in self.all for each in files.by_use()), key=lambda e: e[0])
        for _, files, name in eldest[: len(eldest) - most + max(1, most // 8)]:
            files.drop([name])

    def close_all(self) -> None:
        for files in list(self.all):
            files.forget()

    def begin_child(self) -> None:
        """In a forked child, the lock may be held by a thread that is not there."""
        self.lock = Lock()
        self.close_all()


_process = _Process()
os.register_at_fork(after_in_child=_process.begin_child)
