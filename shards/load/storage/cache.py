"""A folder of downloaded files with a size limit, which any number of processes may share.

An entry is named by the digest of its content, so it is never out of date. It appears complete: one
process writes a part file (`.part`) and renames it. If that process dies, the next one continues
the part file.
"""

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from shards.errors import CorruptShardError, LoadError
from shards.storage import sync_folder

_locked_fds: set[int] = set()
"""Descriptors with a lock that a forked child would hold as well."""


def _begin_child() -> None:
    while _locked_fds:
        os.close(_locked_fds.pop())


os.register_at_fork(after_in_child=_begin_child)


def open_to_lock(path: Path) -> int:
    """A descriptor to write and to lock; creates the file if needed. Forked children close it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    _locked_fds.add(fd)
    return fd


def close_locked(fd: int) -> None:
    """Close a descriptor of `open_to_lock`, and release its lock."""
    _locked_fds.discard(fd)
    os.close(fd)


def share_lock(fd: int) -> None:
    """Turn the lock of a descriptor into a shared one, which forked children keep.

    Raises:
        OSError: if the file system has no locks.
    """
    fcntl.flock(fd, fcntl.LOCK_SH)
    _locked_fds.discard(fd)


def try_lock(fd: int) -> bool:
    """Lock a file exclusively; False if another process or thread holds a lock.

    Raises:
        OSError: if the file system has no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_writer(fd: int) -> None:
    """Wait until no process writes a file; readers do not block."""
    fcntl.flock(fd, fcntl.LOCK_SH)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which remains. Threads of one process exclude each other, too.

    Raises:
        OSError: if the file cannot be created, or the file system has no locks.
    """
    fd = open_to_lock(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        close_locked(fd)


def is_at(path: Path, fd: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


_OURS = re.compile(r"(?:sha256|xxh3)-[0-9a-f]+|\.(?:sha256|xxh3)-[0-9a-f]+\.(?P<size>\d+)\.part")
"""Names of entries, and of part files with their final size. Other files are not touched."""


class _CachedFile(NamedTuple):
    used: int
    size: int
    path: Path


def evict(folder: Path, limit: int, size: int, part: Path) -> None:
    """Remove the files that were not used for longest, until a new one fits.

    The caller holds the folder's lock.

    Args:
        folder: of the cache.
        limit: bytes that all files of the cache may have together.
        size: bytes of the new file.
        part: the new file's part file, which may have some content; removed if it does not fit.

    Raises:
        OSError: ENOSPC, if the files that are in use leave too little space.
    """
    files = [each for each in _cached_files(folder) if each.path != part]
    total = size + sum(each.size for each in files)
    if size <= limit:
        for each in sorted(files):
            if total <= limit:
                break
            if _remove(each.path):
                total -= each.size
    if total > limit:
        part.unlink()
        raise OSError(
            errno.ENOSPC, f"{size} bytes do not fit into a cache of {limit} beside what is in use"
        )


def _cached_files(folder: Path) -> Iterator[_CachedFile]:
    """Entries, and part files with their final size."""
    with os.scandir(folder) as files:
        for file in files:
            ours = _OURS.fullmatch(file.name)
            if ours is None:
                continue
            with suppress(FileNotFoundError):
                stat = file.stat(follow_symlinks=False)
                size = int(ours["size"] or stat.st_size)
                yield _CachedFile(stat.st_mtime_ns, size, folder / file.name)


def _remove(path: Path) -> bool:
    """Delete an entry or a part file, unless a process has it open."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not try_lock(fd):
            return False
        path.unlink(missing_ok=True)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(fd)


FOLDER, BYTES = "GLAMM_SHARDS_CACHE", "GLAMM_SHARDS_CACHE_BYTES"
DEFAULT_BYTES = 100 * 10**9
_LOCK = ".shards-cache.lock"


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder for downloaded files.

    Attributes:
        folder: created if needed. Processes and splits may share it.
        bytes: limit for the size of all its files. Those that were not opened for longest are
            removed for new ones; a file that a process has open stays.
    """

    folder: Path
    bytes: int = DEFAULT_BYTES

    def __post_init__(self) -> None:
        """Create the folder.

        Raises:
            LoadError: if it cannot be created, or the limit is not positive.
        """
        object.__setattr__(self, "folder", Path(self.folder).absolute())
        if self.bytes <= 0:
            raise LoadError(f"a cache of {self.bytes} bytes; expected more than 0")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LoadError(
                f"{self.folder}: cannot be the folder of a cache: {error.strerror}; name another "
                f"({FOLDER})"
            ) from error

    @classmethod
    def from_environment(cls) -> Self | None:
        """The cache that the environment names, or None.

        Raises:
            LoadError: if its limit is not a number of bytes.
        """
        folder, limit = os.environ.get(FOLDER), os.environ.get(BYTES)
        if not folder:
            return None
        try:
            return cls(Path(folder), int(limit) if limit else DEFAULT_BYTES)
        except ValueError as error:
            raise LoadError(f"{BYTES} is {limit!r}; expected a number like 200000000000") from error

    def find(self, key: str, size: int) -> int | None:
        """A descriptor of an entry, or None. The entry stays while the descriptor is open."""
        path = self.folder / key
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            share_lock(fd)
            status = os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
        if status.st_nlink and status.st_size == size:
            with suppress(OSError):
                os.utime(path)
            return fd
        os.close(fd)  # removed in the meantime, or truncated by a disk failure
        if status.st_nlink:
            path.unlink(missing_ok=True)
        return None

    def fetch(self, key: str, size: int, fill: Callable[[int], None]) -> int:
        """A descriptor of an entry; downloads it first if needed, once for all processes.

        Args:
            key: the file's name: `sha256-` or `xxh3-` and the digest of its content.
            size: in bytes.
            fill: completes the content of a descriptor, which may hold its beginning, written by
                another process. If it raises anything but the errors below, that beginning is kept.

        Raises:
            OSError: if there is no space, or the disk fails.
            CorruptShardError: from `fill`, if the content is not what it should be.
        """
        part = self.folder / f".{key}.{size}.part"
        while True:
            fd = self.find(key, size)
            if fd is None:
                fd = self._begin(part, key, size)
                if fd is None:
                    continue
                self._complete(fd, part, key, fill)
            return fd

    def _begin(self, part: Path, key: str, size: int) -> int | None:
        """A part file to write, with space for all of it; None after waiting for another writer."""
        with locked(self.folder / _LOCK):
            fd = open_to_lock(part)
            try:
                if try_lock(fd):
                    if self._is_needed(fd, part, key):
                        evict(self.folder, self.bytes, size, part)
                        return fd
                    close_locked(fd)
                    return None
            except BaseException:
                close_locked(fd)
                raise
        try:
            wait_for_writer(fd)
        finally:
            close_locked(fd)
        return None

    def _is_needed(self, fd: int, part: Path, key: str) -> bool:
        """Whether the part file must still be written: another writer may have renamed it."""
        if not is_at(part, fd):
            return False
        if not (self.folder / key).exists():
            return True
        part.unlink()
        return False

    def _complete(self, fd: int, part: Path, key: str, fill: Callable[[int], None]) -> None:
        try:
            fill(fd)
            os.fsync(fd)
            # Without the lock, `evict` might count the file under both names or under none.
            with locked(self.folder / _LOCK):
                part.replace(self.folder / key)
            sync_folder(self.folder)
            share_lock(fd)
        except BaseException as error:
            if isinstance(error, OSError | CorruptShardError):
                part.unlink(missing_ok=True)
            close_locked(fd)
            raise
