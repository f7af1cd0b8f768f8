"""Shards of a URL in a cache: downloaded whole, ahead of use or when they are read."""

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple, Protocol

from xxhash import xxh3_64

from shards.errors import CorruptShardError, LoadError
from shards.load.storage.background import Background
from shards.load.storage.cache import Cache
from shards.load.storage.file_pool import FilePool
from shards.load.storage.remote_store import RemoteStore

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


DOWNLOADS = 4
"""Shards that one process downloads at once."""


class Downloads:
    """Files in a cache, brought there where they are not."""

    def __init__(self, store: RemoteStore, cache: Cache, shards: Mapping[str, Wanted]) -> None:
        self._store, self._cache, self._shards = store, cache, shards
        self._damaged: dict[str, str] = {}

    def shard(self, name: str, stop: Event | None = None) -> int:
        """A descriptor of a shard of the manifest's.

        Raises:
            As `entry`, and without asking again, if it was damaged before.
        """
        if name in self._damaged:
            raise CorruptShardError(self._damaged[name])
        try:
            return self.entry(self._shards[name], stop)
        except CorruptShardError as error:
            self._damaged[name] = str(error)
            raise

    def entry(self, wanted: Wanted, stop: Event | None = None) -> int:
        """A descriptor of a file, which stays in the cache as long as that is open.

        Raises:
            CorruptShardError: if it is missing at the URL, or not what was written.
            LoadError: if the server does not answer or refuses.
            OSError: if there is no room for it.
            StoppedError: if the event is set.
        """
        return self._cache.fetch(
            key_of(self._store.where, wanted),
            wanted.size,
            lambda fd: download(self._store, wanted, fd, stop),
        )

    def forget(self, name: str) -> None:
        """Remove a shard's entry; whoever has it open keeps that."""
        self.place(self._shards[name]).unlink(missing_ok=True)

    def place(self, wanted: Wanted) -> Path:
        """Where its entry is."""
        return self._cache.folder / key_of(self._store.where, wanted)


class CachedShards:
    """Shards by name, read from a cache."""

    def __init__(self, downloads: Downloads, where: str) -> None:
        self._downloads, self._where = downloads, where
        self._open = FilePool(downloads.shard)
        self._ahead = Background(partial(_fetch, downloads, self._open), DOWNLOADS)
        self._left_out: set[str] = set()
        self._doubted: set[str] = set()
        self._lock = Lock()
        self._warned = False

    def read(self, name: str, offset: int, out: memoryview) -> int | None:
        """Bytes read into `out`; None where the shard has no room on this disk.

        Raises:
            CorruptShardError, LoadError: as `Downloads.shard`.
        """
        if name in self._left_out:
            return None
        try:
            return self._open.read(name, offset, out)
        except OSError:
            self._open.close_unused()  # what was not read lately makes room
        try:
            return self._open.read(name, offset, out)
        except OSError as error:
            self._leave_out(name, error)
            return None

    def doubt(self, name: str) -> None:
        """Have a shard downloaded again, once: its checksum fitted when it was downloaded."""
        with self._lock:
            if name in self._doubted:
                return
            self._doubted.add(name)
            _log.warning("%s/%s: not in the cache as it was downloaded", self._where, name)
            self._downloads.forget(name)
            self._open.close(name)

    def ahead(self, names: Sequence[str]) -> None:
        """Download these, while others are read."""
        self._left_out.clear()
        self._open.close_unused()
        self._ahead.add(names)

    def stop_prefetch(self) -> None:
        """Break off what nobody waits for."""
        self._ahead.stop()

    def close(self) -> None:
        """Let go of files and threads."""
        self._ahead.stop()
        self._open.forget()

    def _leave_out(self, name: str, error: OSError) -> None:
        self._left_out.add(name)
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s/%s: not cached, read by ranges like others that follow, which is slower: %s",
                self._where, name, error.strerror or error,
            )  # fmt: skip


def _fetch(downloads: Downloads, opened: FilePool[str], name: str, stop: Event) -> None:
    """Whoever reads the shard hears what is wrong with it."""
    try:
        opened.open(name, partial(downloads.shard, stop=stop))
    except (CorruptShardError, LoadError, OSError, StoppedError) as error:
        _log.debug("%s: not downloaded ahead: %s", name, error)
