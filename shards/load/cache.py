"""Downloaded files in a folder of bounded size, which any number of processes may share.

An entry is named by the digest of its content, so that it is never out of date. It comes into being
whole, by renaming. Locks are the kernel's: they end with the process that holds them.
"""

import errno
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shards.errors import LoadError
from shards.load.remote_locks import held, lock, locked, locked_folder, try_lock
from shards.store import SUFFIX, publish, temporary_name

FOLDER, BYTES = "GLAMM_SHARDS_CACHE", "GLAMM_SHARDS_CACHE_BYTES"
DEFAULT_BYTES = 100 * 10**9
_NO_ROOM_KEPT = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
_ABANDONED = 24 * 3600.0
"""Seconds after which a temporary file of another machine is taken for a leftover."""


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
        try:
            fd = os.open(self.folder / key, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        lock(fd, fcntl.LOCK_SH)
        stat = os.fstat(fd)
        if stat.st_nlink == 0 or stat.st_size != size:  # evicted meanwhile, or cut by a power cut
            os.close(fd)
            return None
        with suppress(OSError):
            os.utime(self.folder / key)
        return fd

    def fetch(self, key: str, size: int, fill: Callable[[int], None]) -> int:
        """The same, downloaded where there is none. Of all who want it, one downloads.

        Args:
            key: the file's name: a digest of its content.
            size: in bytes.
            fill: writes the content to a descriptor, and raises if it is not what it should be.

        Raises:
            OSError: if there is no room, or the disk refuses.
        """
        fd = self.find(key, size)
        if fd is not None:
            return fd
        with locked(self.folder / f".{key}.lock"):
            fd = self.find(key, size)
            if fd is not None:
                return fd
            temporary, fd = self._reserve(key, size)
            try:
                fill(fd)
                os.fsync(fd)
                publish(temporary, self.folder / key)
                lock(fd, fcntl.LOCK_SH)
            except BaseException:
                temporary.unlink(missing_ok=True)
                held.discard(fd)
                os.close(fd)
                raise
            held.discard(fd)
            return fd

    def link(self, fd: int, key: str, path: Path) -> None:
        """Give an entry that is held open a second name, under which it is never evicted."""
        try:
            path.hardlink_to(self.folder / key)
        except OSError:  # a file system without links
            with os.fdopen(os.dup(fd), "rb") as entry, path.open("wb") as copy:
                shutil.copyfileobj(entry, copy)

    def scratch(self) -> tuple[Path, int]:
        """A folder of one process, swept when that is dead, and the descriptor that holds it."""
        with locked_folder(self.folder):
            end = temporary_name(Path("split")).name.removeprefix(".split")
            folder = Path(tempfile.mkdtemp(end, ".split-", self.folder))
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            lock(fd, fcntl.LOCK_EX)
        return folder, fd

    def _reserve(self, key: str, size: int) -> tuple[Path, int]:
        """A temporary file of the whole size, so that nobody else takes its room."""
        temporary = temporary_name(self.folder / f"{key}-{threading.get_ident()}")
        with locked_folder(self.folder):
            self._make_room(size)
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            held.add(fd)
            lock(fd, fcntl.LOCK_EX)
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            if error.errno not in _NO_ROOM_KEPT:
                temporary.unlink(missing_ok=True)
                held.discard(fd)
                os.close(fd)
                raise
            os.ftruncate(fd, size)
        return temporary, fd

    def _make_room(self, size: int) -> None:
        entries: list[tuple[int, int, Path]] = []
        total = size
        with os.scandir(self.folder) as found:
            for each in found:
                try:
                    stat = each.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                path = self.folder / each.name
                if each.name.endswith(SUFFIX) and _is_abandoned(path, stat.st_mtime):
                    _remove(path)
                elif not each.is_dir(follow_symlinks=False):
                    total += stat.st_size
                    if not each.name.startswith("."):
                        entries.append((stat.st_mtime_ns, stat.st_size, path))
        for _, taken, path in sorted(entries):
            if total <= self.bytes:
                return
            if _evict(path):
                total -= taken
        if total > self.bytes:
            raise OSError(
                errno.ENOSPC,
                f"{size} bytes do not fit into a cache of {self.bytes} beside what is in use",
            )


def _is_abandoned(path: Path, changed: float) -> bool:
    """Whether the process that wrote a temporary file is dead."""
    host, _, _ = temporary_name(Path("x")).name.removeprefix(".x.").rpartition("-")
    writer = path.name.removesuffix(SUFFIX)
    if f".{host}-" not in writer:
        return time.time() - changed > _ABANDONED
    found = try_lock(path)
    return _is_dead(writer.rpartition("-")[2]) if found is None else found


def _is_dead(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _evict(path: Path) -> bool:
    """Delete an entry, unless somebody has it open."""
    if try_lock(path) is False:
        return False
    path.unlink(missing_ok=True)
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
