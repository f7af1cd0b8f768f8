"""A file from a URL, written whole and compared with its digest."""

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from threading import Event
from typing import NamedTuple, Protocol

from xxhash import xxh3_64

from shards.errors import CorruptShardError
from shards.load.remote_store import RemoteStore

_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")
_PIECE = 1 << 20
_log = logging.getLogger("shards.load")


class StoppedError(Exception):
    """A download that nobody waits for any more."""


class Wanted(NamedTuple):
    """A file as the manifest has it.

    Attributes:
        name: below the URL.
        size: bytes of it.
        digest: sha256 (64 hexadecimal digits) or xxh3 (16).
    """

    name: str
    size: int
    digest: str


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def hexdigest(self) -> str: ...


def key_of(where: str, wanted: Wanted) -> str:
    """The name of a cached file. Digests come from elsewhere, and become names of files here.

    Raises:
        CorruptShardError: if it is none.
    """
    if _DIGEST.fullmatch(wanted.digest) is None:
        raise CorruptShardError(
            f"{where}/{wanted.name}, byte 0: the manifest has {wanted.digest[:80]!r} for its "
            f"digest; expected 16 or 64 hexadecimal digits"
        )
    return f"{'sha256' if _is_sha256(wanted) else 'xxh3'}-{wanted.digest}"


def download(store: RemoteStore, wanted: Wanted, fd: int, stop: Event | None = None) -> None:
    """Write a file. What is there already is taken for its beginning.

    A damaged one has a second chance, from its first byte.

    Args:
        store: where from.
        wanted: what.
        fd: where to, to read and to write.
        stop: when it is set, the file stays incomplete.

    Raises:
        CorruptShardError: if it is missing, of another size, or its content is another.
        LoadError: if the server does not answer or refuses.
        OSError: if the disk is full or fails.
        StoppedError: if the event is set.
    """
    file = f"{store.where}/{wanted.name}"
    for last in (False, True):
        found: _Hash = hashlib.sha256() if _is_sha256(wanted) else xxh3_64()
        at = 0
        for piece in _written(fd, wanted.size):
            found.update(piece)
            at += len(piece)
        for piece in store.stream(wanted.name, at, wanted.size):
            found.update(piece)
            at = _write(fd, piece, at)
            if stop is not None and stop.is_set():
                raise StoppedError
        if found.hexdigest() == wanted.digest:
            return
        what = f"digest {found.hexdigest()}, the manifest says {wanted.digest}"
        if last:
            raise CorruptShardError(
                f"{file}, byte 0: downloaded twice, each time with {what}; copy the shard and the "
                f"manifest there again"
            )
        _log.warning("%s: downloaded with %s; once more", file, what)
        os.ftruncate(fd, 0)


def _is_sha256(wanted: Wanted) -> bool:
    return len(wanted.digest) == hashlib.sha256().digest_size * 2


def _written(fd: int, size: int) -> Iterator[bytes]:
    """What a download that was broken off has left."""
    found = os.fstat(fd).st_size
    if found > size:
        os.ftruncate(fd, 0)
        return
    for at in range(0, found, _PIECE):
        yield os.pread(fd, min(_PIECE, found - at), at)


def _write(fd: int, piece: bytes, at: int) -> int:
    view = memoryview(piece)
    while view:
        written = os.pwrite(fd, view, at)
        at, view = at + written, view[written:]
    return at
