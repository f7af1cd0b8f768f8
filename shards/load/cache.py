"""Downloaded files in a folder of bounded size, which any number of processes may share.

An entry is named by the digest of its content, so that it is never out of date. It comes into being
whole: a part, which one process writes and the next goes on with if that one dies, is renamed.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shards.errors import CorruptShardError, LoadError
from shards.load.locks import close_held, is_at, locked, open_held, share, try_lock, wait
from shards.load.room import make_room
from shards.store import sync_folder

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
                        make_room(self.folder, self.bytes, size, part)
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
