"""Where shards live: a folder, to which files are added whole or not at all."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".tmp"
_HOST = socket.gethostname().replace(".", "-")


def temporary_name(path: Path) -> Path:
    """Where to write before `publish`: beside `path`, hidden, named by host and process.

    Two writers of one file, even on two machines, never share it. Both make the same bytes, so
    whichever renames last does no harm.
    """
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}{SUFFIX}")


def publish(temporary: Path, path: Path) -> None:
    """Rename into place. The file must already be synced; readers see all of it or nothing."""
    temporary.replace(path)
    sync_folder(path.parent)


def publish_file(temporary: Path, path: Path) -> None:
    """Sync a file that some library wrote, and rename it into place."""
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    publish(temporary, path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that readers see the old one or the new one, never a part."""
    temporary = temporary_name(path)
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_if_changed(path: Path, content: bytes) -> bool:
    """`write_whole`, unless the file already says so; True if it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return True


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(out: Path) -> int:
    """Delete the temporary files that dead writers left in `OUT/<source>/<split>/`; their number.

    One that is still alive loses its file, fails, and does no other harm.
    """
    leftovers = [path for path in out.glob(f"*/*/.*{SUFFIX}") if path.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Hold a folder against other holders; True if held, or if its file system knows no locks.

    The lock is on the folder itself: no file is written, and the kernel lets go of it when the
    process dies, however it dies.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in {errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}:
                raise
        yield True
    finally:
        os.close(descriptor)
