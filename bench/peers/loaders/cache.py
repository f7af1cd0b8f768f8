"""Put files into the page cache, or remove them from it."""

import os
from pathlib import Path

_BUFFER = 1 << 20


def drop(folder: Path) -> None:
    """Drop every file below a folder from the page cache, after it is written to the disk."""
    for path in _files(folder):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def warm(folder: Path) -> None:
    """Drop every file below a folder from the page cache, then read it from start to end.

    How a file came into the cache decides its page size, and so how fast it is read from there.
    """
    memory = bytearray(_BUFFER)
    drop(folder)
    for path in _files(folder):
        with path.open("rb", buffering=0) as file:
            while file.readinto(memory):
                pass


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
