"""Downloaded files in a folder of bounded size, which any number of processes may share.

An entry is named by the digest of its content, so that it is never out of date. It comes into being
whole: a part, which one process writes and the next goes on with if that one dies, is renamed.
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

_held: set[int] = set()
"""Descriptors with a lock that a forked child would go on holding."""


def _begin_child() -> None:
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_begin_child)


def open_held(path: Path) -> int:
    """A descriptor to write by and to lock, made where it is missing; forked children close it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    _held.add(fd)
    return fd


def close_held(fd: int) -> None:
    """Close it, and let go of its lock."""
    _held.discard(fd)
    os.close(fd)


def share(fd: int) -> None:
    """Turn the lock of an `open_held` into one that others may have as well, forked children too.

    Raises:
        OSError: if the file system knows no locks.
    """
    fcntl.flock(fd, fcntl.LOCK_SH)
    _held.discard(fd)


def try_lock(fd: int) -> bool:
    """Lock a file against all others, unless somebody has it.

    Raises:
        OSError: if the file system knows no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait(fd: int) -> None:
    """Wait until nobody writes a file: whoever has, may read on."""
    fcntl.flock(fd, fcntl.LOCK_SH)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which stays. Threads of one process exclude each other, too.

    Raises:
        OSError: if it cannot be made, or the file system knows no locks.
    """
    fd = open_held(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        close_held(fd)


def is_at(path: Path, fd: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


_OURS = re.compile(r"(?:sha256|xxh3)-[0-9a-f]+|\.(?:sha256|xxh3)-[0-9a-f]+\.(?P<size>\d+)\.part")
"""Entries, and parts with the size that they are to have. Other files are not touched."""


class _Kept(NamedTuple):
    used: int
    size: int
    path: Path


def evict(folder: Path, limit: int, size: int, part: Path) -> None:
    """Remove files until there is room for one more. Whoever calls this holds the folder's lock.

    Args:
        folder: of the cache.
        limit: bytes that its files have together, at the most.
        size: bytes of the file to come.
        part: the file to come, which may have a beginning; it is removed if there is no room.

    Raises:
        OSError: ENOSPC, if what is in use leaves no room.
    """
    kept = [each for each in _kept(folder) if each.path != part]
    total = size + sum(each.size for each in kept)
    if size <= limit:
        for each in sorted(kept):
            if total <= limit:
                break
            if _remove(each.path):
                total -= each.size
    if total > limit:
        part.unlink()
        raise OSError(
            errno.ENOSPC, f"{size} bytes do not fit into a cache of {limit} beside what is in use"
        )


def _kept(folder: Path) -> Iterator[_Kept]:
    """Entries, and parts as if they were complete."""
    with os.scandir(folder) as found:
        for each in found:
            ours = _OURS.fullmatch(each.name)
            if ours is None:
                continue
            with suppress(FileNotFoundError):
                stat = each.stat(follow_symlinks=False)
                size = int(ours["size"] or stat.st_size)
                yield _Kept(stat.st_mtime_ns, size, folder / each.name)


def _remove(path: Path) -> bool:
    """Delete an entry or a part, unless somebody has it open."""
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
        folder: it is made where it is missing. Processes and splits may share it.
        bytes: that its files have together, at the most. Those that were not opened for longest
            make room for new ones; one that somebody has open stays.
    """

    folder: Path
    bytes: int = DEFAULT_BYTES

    def __post_init__(self) -> None:
        """Make the folder.

        Raises:
            LoadError: if it cannot be made, or the limit is none.
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
        """A descriptor of an entry, or None. The entry stays as long as the descriptor is open."""
        path = self.folder / key
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            share(fd)
            found = os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
        if found.st_nlink and found.st_size == size:
            with suppress(OSError):
                os.utime(path)
            return fd
        os.close(fd)  # removed meanwhile, or cut short by whatever befell the disk
        if found.st_nlink:
            path.unlink(missing_ok=True)
        return None

    def fetch(self, key: str, size: int, fill: Callable[[int], None]) -> int:
        """The same, downloaded where there is none. Of all who want it, one downloads.

        Args:
            key: the file's name: `sha256-` or `xxh3-` and the digest of its content.
            size: in bytes.
            fill: completes the content of a descriptor, which may have the beginning of it from
                another process. Whatever it raises but the errors below, is no fault of what was
                written so far.

        Raises:
            OSError: if there is no room, or the disk refuses.
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
        """A part to write, with room for all of it; None when another process had it until now."""
        with locked(self.folder / _LOCK):
            fd = open_held(part)
            try:
                if try_lock(fd):
                    if self._is_wanted(fd, part, key):
                        evict(self.folder, self.bytes, size, part)
                        return fd
                    close_held(fd)
                    return None
            except BaseException:
                close_held(fd)
                raise
        try:
            wait(fd)
        finally:
            close_held(fd)
        return None

    def _is_wanted(self, fd: int, part: Path, key: str) -> bool:
        """Whether what was locked is still to be written: another may have just renamed it."""
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
            with locked(self.folder / _LOCK):  # or who counts may see it under both names or none
                part.replace(self.folder / key)
            sync_folder(self.folder)
            share(fd)
        except BaseException as error:
            if isinstance(error, OSError | CorruptShardError):
                part.unlink(missing_ok=True)
            close_held(fd)
            raise
