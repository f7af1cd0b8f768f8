"""The files of a split: in a local folder, or at a URL (`shards.load.storage.remote`).

`open_files` gives the right kind. Local files are read through a `FilePool`, which bounds how many
are open in this process, and the kernel is asked to read the next shards into its page cache.
"""

import errno
import os
import resource
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError, LoadError
from shards.load.storage.background import Background
from shards.load.storage.cache import Cache

K = TypeVar("K", bound=Hashable)


class SplitFiles(Protocol):
    """The files of one split, local or remote.

    Attributes:
        location: folder or URL, for messages; it never holds a secret.
    """

    location: str

    def path(self, name: str) -> Path:
        """The local path of a whole file; waits for its download.

        Raises:
            CorruptShardError: if it is remote and missing, or not what was written.
        """

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on. Thread-safe.

        Raises:
            CorruptShardError: naming file and offset, if the file is missing or too short.
        """

    def report_corrupt(self, name: str, /) -> bool:
        """Say that a file is not what was written; True if a read would now get another copy."""

    def prefetch(self, names: Sequence[str]) -> None:
        """Say which whole shards are read next, in that order; returns immediately."""

    def stop_prefetch(self) -> None:
        """Say that the announced shards are not read any more."""

    def close(self) -> None:
        """Close files and end threads. Reading opens them again."""


class LocalFiles:
    """Files of a local folder."""

    def __init__(self, folder: Path) -> None:
        self.location = str(folder)
        self._folder = folder
        self._pool = FilePool(partial(_open_file, folder))
        self._prefetching = Background(partial(_read_ahead_file, folder), threads=1)

    def __repr__(self) -> str:
        return f"LocalFiles({self.location!r})"

    def __reduce__(self) -> tuple[type["LocalFiles"], tuple[Path]]:
        return type(self), (self._folder,)

    def path(self, name: str) -> Path:
        """The path of a file, which may be missing."""
        return self._folder / name

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on.

        Raises:
            CorruptShardError: naming file and offset, if the file is missing or too short.
        """
        try:
            size = self._pool.read(name, offset, out)
        except OSError as error:
            raise CorruptShardError(
                f"{self.location}/{name}, byte {offset}: {error.strerror}; copy the split again, "
                f"or run `python -m shards.verify {self.location}` to see what else is missing"
            ) from error
        if size != len(out):
            raise CorruptShardError(
                f"{self.location}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {size}; copy it again, or write it again with `python -m convert.run`"
            )

    def report_corrupt(self, _name: str, /) -> bool:
        """False: there is no other copy."""
        return False

    def prefetch(self, names: Sequence[str]) -> None:
        """Have the kernel read these files in the background, from the first it does not hold."""
        # If all are in the page cache, checking costs less than starting a thread that checks.
        for number, name in enumerate(names):
            if not self._is_in_page_cache(name):
                self._prefetching.add(names[number:])
                return

    def _is_in_page_cache(self, name: str) -> bool:
        try:
            file = OpenFile(_open_file(self._folder, name))
            return is_in_page_cache(file.fd, os.fstat(file.fd).st_size)
        except OSError:  # the read that follows reports the error
            return False

    def stop_prefetch(self) -> None:
        """End the thread that prefetches."""
        self._prefetching.stop()

    def close(self) -> None:
        """Close files and end the thread."""
        self._prefetching.stop()
        self._pool.clear()


def read_checked(files: SplitFiles, name: str, offset: int, out: memoryview, checksum: int) -> None:
    """Fill `out` with one sample and compare it with its checksum.

    Args:
        files: of its split.
        name: of its shard.
        offset: of the sample in the shard.
        out: buffer of the sample's size.
        checksum: xxh3 of the sample.

    Raises:
        CorruptShardError: naming file and offset, if the sample is missing or damaged.
        LoadError: if a server does not answer or refuses, or no more files can be opened.
    """
    for first in (True, False):
        files.read_into(name, offset, out)
        if xxh3_64_intdigest(out) == checksum:
            return
        if first and not files.report_corrupt(name):
            break
    raise CorruptShardError(
        f"{files.location}/{name}, byte {offset}: the sample is not what was written; "
        f"`python -m shards.verify` reports details"
    )


def open_files(location: str | Path, *, cache: Cache | None = None) -> SplitFiles:
    """The files of a split.

    Args:
        location: a folder, or an http://, https:// or s3:// URL of one.
        cache: for a URL: where whole shards are kept. By default GLAMM_SHARDS_CACHE and
            GLAMM_SHARDS_CACHE_BYTES of the environment; without these, each read is a request.

    Raises:
        CorruptShardError: if a URL has no manifest, or a damaged one.
        LoadError: if a URL is not valid, or its server does not answer or refuses.
        MissingExtraError: if the location is a URL and obstore is not installed.
    """
    if isinstance(location, Path) and location.parts[:1] in {("http:",), ("https:",), ("s3:",)}:
        raise LoadError(f"{location}: a URL cannot be a Path; expected a str")
    if isinstance(location, str) and "://" in location:
        from shards.load.storage.remote import RemoteFiles

        return RemoteFiles(location, cache or Cache.from_environment())
    return LocalFiles(Path(location))


def _open_file(folder: Path, name: str) -> int:
    return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)


def _read_ahead_file(folder: Path, name: str, stop: Event) -> None:
    with suppress(OSError):  # only a hint: the read that follows reports the error
        file = OpenFile(_open_file(folder, name))
        read_ahead(file.fd, stop)


_STRETCH = 1 << 17
"""Bytes that the kernel is asked to read at once. It reads no more than its device's read-ahead,
however much is requested, and 128 KiB is the smallest usual value."""
_PROBES = 16


def read_ahead(fd: int, stop: Event) -> None:
    """Have the kernel read a file into its page cache, unless it is there.

    Args:
        fd: of the file.
        stop: ends it.

    Raises:
        OSError: if the file cannot be read.
    """
    size = os.fstat(fd).st_size
    if not hasattr(os, "posix_fadvise") or is_in_page_cache(fd, size):
        return
    for start in range(0, size, _STRETCH):
        if stop.is_set():
            return
        os.posix_fadvise(fd, start, _STRETCH, os.POSIX_FADV_WILLNEED)


def is_in_page_cache(fd: int, size: int) -> bool:
    """Whether the kernel holds the file in memory, judged by a few probes: a full check is slow."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    byte = bytearray(1)
    try:
        for number in range(_PROBES):
            os.preadv(fd, (byte,), size * number // _PROBES, os.RWF_NOWAIT)
    except OSError:  # the read would wait for the disk, or the file system cannot tell
        return False
    return True


_FEWEST, _MOST = 16, 1024


def max_open_files() -> int:
    """Files that this process keeps open: a quarter of what the system allows it."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST
    return min(max(allowed // 4, _FEWEST), _MOST)


class OpenFile:
    """A descriptor that is closed with its last reference, never during a read.

    Attributes:
        fd: the descriptor.
        used: when it was last used; a process-wide counter.
    """

    __slots__ = ("fd", "used")

    def __init__(self, fd: int, used: int = 0) -> None:
        self.fd, self.used = fd, used

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class FilePool(Generic[K]):
    """Open files by name. Reading a file that is open takes no lock."""

    def __init__(self, opener: Callable[[K], int]) -> None:
        """Start with no open file.

        Args:
            opener: returns a descriptor, which the pool then owns and closes.
        """
        self._opener = opener
        self._files: dict[K, OpenFile] = {}
        self._before = 0
        with _process.lock:
            _process.pools.add(self)

    def __len__(self) -> int:
        """Number of open files."""
        return len(self._files)

    def clear(self) -> None:
        """Close all files; one that is being read is closed after the read."""
        with _process.lock:
            self._files = {}

    def read(self, name: K, offset: int, out: memoryview) -> int:
        """Bytes read into `out`: fewer than its length only at the end of the file.

        Raises:
            LoadError: if this process cannot open more files.
            OSError: if the opener or the read fails.
        """
        file = self.open(name)
        size = os.preadv(file.fd, (out,), offset)
        while size < len(out):  # a signal, or more than 2 GiB
            more = os.preadv(file.fd, (out[size:],), offset + size)
            if not more:
                break
            size += more
        return size

    def open(self, name: K, opener: Callable[[K], int] | None = None) -> OpenFile:
        """The open file of this name; opening one may close those that were not used for longest.

        Raises:
            LoadError: if this process cannot open more files.
            OSError: if the opener fails.
        """
        file = self._files.get(name)
        if file is not None:
            file.used = next(_process.clock)
            return file
        file = OpenFile(_open_descriptor(opener or self._opener, name), next(_process.clock))
        with _process.lock:
            if name in self._files:
                return self._files[name]
            _process.evict()
            self._files[name] = file
        return file

    def close(self, name: K) -> None:
        """Close one file; if it is being read, after the read."""
        with _process.lock:
            self._files.pop(name, None)

    def close_unused(self) -> None:
        """Close the files that were not read since the last call."""
        with _process.lock:
            self.drop([name for name, file in self._files.items() if file.used < self._before])
            self._before = next(_process.clock)

    def drop(self, names: list[K]) -> None:
        """Close some files. The caller holds the process's lock."""
        for name in names:
            del self._files[name]

    def by_use(self) -> list[tuple[int, "FilePool[K]", K]]:
        """(last use, this pool, name) of each file. The caller holds the process's lock."""
        return [(file.used, self, name) for name, file in self._files.items()]


def _open_descriptor(opener: Callable[[K], int], name: K) -> int:
    """Open a file; at the system's limit, close all files of the pools and try again."""
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
            f"cannot open more files ({error.strerror}); `ulimit -n` allows this process "
            f"{allowed}: raise it, or use fewer loaders, or hold fewer samples of mapped files"
        ) from error


class _ProcessFiles:
    """The open files of all loaders of this process."""

    def __init__(self) -> None:
        self.pools: WeakSet[FilePool[Any]] = WeakSet()
        self.clock = count()
        self.lock = Lock()

    def evict(self) -> None:
        """Close files to open one more; an eighth at a time, because one alone costs as much."""
        most = max_open_files()
        if sum(map(len, self.pools)) < most:
            return
        oldest = sorted((each for pool in self.pools for each in pool.by_use()), key=lambda e: e[0])
        for _, pool, name in oldest[: len(oldest) - most + max(1, most // 8)]:
            pool.drop([name])

    def close_all(self) -> None:
        for pool in list(self.pools):
            pool.clear()

    def begin_child(self) -> None:
        """Replace the lock after a fork: a thread that does not exist here may hold it."""
        self.lock = Lock()
        self.close_all()


_process = _ProcessFiles()
os.register_at_fork(after_in_child=_process.begin_child)
