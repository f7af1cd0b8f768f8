"""Files of an output: their names, their checksums, and writing them whole or not at all."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xxhash import xxh3_64, xxh3_64_hexdigest

REJECTS = "rejects.jsonl"
"""The items of a source that could not be planned. A shard's: see `rejects_name`."""
EVAL_PHOTOS = "eval-photos."
"""Start of the names of the lists of evaluation photos, in the output's own folder."""
WORK = ".work"
"""Folder in the output for what a running job needs; deleted when the job is done."""
TEMPORARY = ".tmp"
"""Suffix of files that are being written."""

_CHUNK = 1 << 22
_HOST = socket.gethostname().replace(".", "-")


def rejects_name(shard: str) -> str:
    """Name of the file that lists a shard's rejected and filtered items.

    >>> rejects_name("refcoco-train-000000")
    'refcoco-train-000000.rejects.jsonl'
    """
    return f"{shard}.{REJECTS}"


def eval_photos_name(collection: str) -> str:
    """Name of the list of a collection's evaluation photos.

    >>> eval_photos_name("coco")
    'eval-photos.coco.json'
    """
    return f"{EVAL_PHOTOS}{collection}.json"


def hash_bytes(content: bytes) -> str:
    """xxh3 of a file's content, 16 hexadecimal digits: finds accidents, not forgeries."""
    return xxh3_64_hexdigest(content)


def hash_file(path: Path) -> str:
    """xxh3 of a file of any size, 16 hexadecimal digits."""
    digest = xxh3_64()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def temporary_name(path: Path) -> Path:
    """Where to write before `publish`: beside `path`, hidden, named by host and process.

    Two writers of one file, even on two machines, never share it. Both write the same bytes, so it
    does not matter which of them renames last.
    """
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}{TEMPORARY}")


def publish(temporary: Path, path: Path) -> None:
    """Rename a synced file into place: readers see the old file or the new one."""
    temporary.replace(path)
    sync_folder(path.parent)


def publish_file(temporary: Path, path: Path) -> None:
    """Sync a file that another library wrote, and rename it into place."""
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
    """`write_whole`, unless the file has this content already; True if it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return True


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(out: Path) -> int:
    """Delete temporary files that killed writers left in `OUT/<source>/<split>/`; their number.

    A writer that is still running loses its file and fails; nothing else is affected.
    """
    leftovers = [path for path in out.glob(f"*/*/.*{TEMPORARY}") if path.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Lock a folder; False if another process holds the lock.

    True also where the file system has no locks. The lock is on the folder itself: it needs no
    file, and the kernel releases it when the process ends in any way.
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
