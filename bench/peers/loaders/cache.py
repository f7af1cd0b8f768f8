"""Whether the files are in the page cache."""

import os
from pathlib import Path

_BUFFER = 1 << 20


def drop(folder: Path) -> None:
    """Have the kernel forget every file below a folder, written ones once they are on the disk."""
    for path in _files(folder):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def warm(folder: Path) -> None:
    """Read every file below a folder from its beginning to its end, after it was forgotten.

    How a file came into the cache decides how fast it is read from there: in pages of which size.
    """
    memory = bytearray(_BUFFER)
    drop(folder)
    for path in _files(folder):
        with path.open("rb", buffering=0) as file:
            while file.readinto(memory):
                pass


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
