"""Locks of files between processes: the kernel's, which end with the process that holds them."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LOCKS = {errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}
held: set[int] = set()
"""Descriptors of locks that a forked child would go on holding."""


def _begin_child() -> None:
    while held:
        os.close(held.pop())


os.register_at_fork(after_in_child=_begin_child)


def lock(fd: int, how: int) -> bool:
    """Lock; False where the file system knows no locks: files are whole there all the same."""
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder, for as long as it takes to look through it."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    held.add(fd)
    try:
        lock(fd, fcntl.LOCK_EX)
        yield
    finally:
        held.discard(fd)
        os.close(fd)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, which goes away with its last holder."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        held.add(fd)
        try:
            lock(fd, fcntl.LOCK_EX)
            # The one who held it before has deleted it: another may hold a file of this name.
            if _is_same(path, fd):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            held.discard(fd)
            os.close(fd)


def _is_same(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def try_lock(path: Path) -> bool | None:
    """Whether nobody holds a file; None where the file system knows no locks.

    Whoever opens it between this and its deletion sees that it is deleted.
    """
    try:
        fd = os.open(path, (os.O_RDONLY if path.is_dir() else os.O_RDWR) | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB) or None
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
