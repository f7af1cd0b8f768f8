"""Locks of files between processes: the kernel's, which end with the process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
