"""Room in a cache's folder: what was not opened for longest goes, unless somebody has it open."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from shards.load.locks import try_lock

_OURS = re.compile(r"(?:sha256|xxh3)-[0-9a-f]+|\.(?:sha256|xxh3)-[0-9a-f]+\.(?P<size>\d+)\.part")
"""Entries, and parts with the size that they are to have. Other files are not touched."""


class _Kept(NamedTuple):
    used: int
    size: int
    path: Path


def make_room(folder: Path, limit: int, size: int, part: Path) -> None:
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
