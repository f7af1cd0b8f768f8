"""Shards of a URL in a cache: downloaded whole, in advance or when they are read."""

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
from shards.load.storage.files import FilePool
from shards.load.storage.remote_store import RemoteStore

_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")
_PIECE = 1 << 20
_log = logging.getLogger("shards.load")


class StoppedError(Exception):
    """The download was stopped, because its file is not needed any more."""


class RemoteFile(NamedTuple):
    """A file as the manifest describes it.

    Attributes:
        name: below the URL.
        size: in bytes.
        digest: sha256 (64 hexadecimal digits) or xxh3 (16).
    """

    name: str
    size: int
    digest: str


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def hexdigest(self) -> str: ...


def cache_key(location: str, file: RemoteFile) -> str:
    """The name of a cached file. The digest comes from a server, so it is checked first.

    Raises:
        CorruptShardError: if it is not a digest.
    """
    if _DIGEST.fullmatch(file.digest) is None:
        raise CorruptShardError(
            f"{location}/{file.name}, byte 0: the manifest has {file.digest[:80]!r} for its "
            f"digest; expected 16 or 64 hexadecimal digits"
        )
    return f"{'sha256' if _is_sha256(file) else 'xxh3'}-{file.digest}"


def download(store: RemoteStore, file: RemoteFile, fd: int, stop: Event | None = None) -> None:
    """Write a file. Existing content is taken as its beginning.

    A file whose digest is wrong is downloaded once more from the first byte.

    Args:
        store: to download from.
        file: to download.
        fd: to write to; it must be readable, too.
        stop: when it is set, the file stays incomplete.

    Raises:
        CorruptShardError: if the file is missing, or its size or content is wrong.
        LoadError: if the server does not answer or refuses.
        OSError: if the disk is full or fails.
        StoppedError: if the event is set.
    """
    path = f"{store.location}/{file.name}"
    for last in (False, True):
        digest: _Hash = hashlib.sha256() if _is_sha256(file) else xxh3_64()
        offset = 0
        for piece in _written(fd, file.size):
            digest.update(piece)
            offset += len(piece)
        for piece in store.stream(file.name, offset, file.size):
            digest.update(piece)
            offset = _write(fd, piece, offset)
            if stop is not None and stop.is_set():
                raise StoppedError
        if digest.hexdigest() == file.digest:
            return
        reason = f"digest {digest.hexdigest()}, the manifest says {file.digest}"
        if last:
            raise CorruptShardError(
                f"{path}, byte 0: downloaded twice, each time with {reason}; copy the shard and "
                f"the manifest there again"
            )
        _log.warning("%s: downloaded with %s; downloading it once more", path, reason)
        os.ftruncate(fd, 0)


def _is_sha256(file: RemoteFile) -> bool:
    return len(file.digest) == hashlib.sha256().digest_size * 2


def _written(fd: int, size: int) -> Iterator[bytes]:
    """The content that an interrupted download left."""
    written = os.fstat(fd).st_size
    if written > size:
        os.ftruncate(fd, 0)
        return
    for offset in range(0, written, _PIECE):
        yield os.pread(fd, min(_PIECE, written - offset), offset)


def _write(fd: int, piece: bytes, offset: int) -> int:
    view = memoryview(piece)
    while view:
        written = os.pwrite(fd, view, offset)
        offset, view = offset + written, view[written:]
    return offset


DOWNLOADS = 4
"""Shards that one process downloads at once."""


class Downloads:
    """Files of a URL in a cache; downloads those that are not there."""

    def __init__(self, store: RemoteStore, cache: Cache, shards: Mapping[str, RemoteFile]) -> None:
        self._store, self._cache, self._shards = store, cache, shards
        self._damaged: dict[str, str] = {}

    def shard(self, name: str, stop: Event | None = None) -> int:
        """A descriptor of a shard of the manifest.

        Raises:
            CorruptShardError: if it is missing at the URL, or not what was written; a second call
                does not ask the server again.
            LoadError: if the server does not answer or refuses.
            OSError: if there is no space for it.
            StoppedError: if the event is set.
        """
        if name in self._damaged:
            raise CorruptShardError(self._damaged[name])
        try:
            return self.entry(self._shards[name], stop)
        except CorruptShardError as error:
            self._damaged[name] = str(error)
            raise

    def entry(self, file: RemoteFile, stop: Event | None = None) -> int:
        """A descriptor of a file, which stays in the cache while the descriptor is open.

        Raises:
            CorruptShardError: if it is missing at the URL, or not what was written.
            LoadError: if the server does not answer or refuses.
            OSError: if there is no space for it.
            StoppedError: if the event is set.
        """
        return self._cache.fetch(
            cache_key(self._store.location, file),
            file.size,
            lambda fd: download(self._store, file, fd, stop),
        )

    def remove(self, name: str) -> None:
        """Remove a shard's entry; a process that has it open keeps its content."""
        self.path(self._shards[name]).unlink(missing_ok=True)

    def path(self, file: RemoteFile) -> Path:
        """The path of a file's entry."""
        return self._cache.folder / cache_key(self._store.location, file)


class CachedShards:
    """Shards by name, read from a cache."""

    def __init__(self, downloads: Downloads, location: str) -> None:
        self._downloads, self._location = downloads, location
        self._pool = FilePool(downloads.shard)
        self._prefetching = Background(partial(_fetch, downloads, self._pool), DOWNLOADS)
        self._uncached: set[str] = set()
        self._invalidated: set[str] = set()
        self._lock = Lock()
        self._warned = False

    def read(self, name: str, offset: int, out: memoryview) -> int | None:
        """Bytes read into `out`; None if the shard does not fit on this disk.

        Raises:
            CorruptShardError: if the shard is missing at the URL, or not what was written.
            LoadError: if the server does not answer or refuses.
        """
        if name in self._uncached:
            return None
        try:
            return self._pool.read(name, offset, out)
        except OSError:
            self._pool.close_unused()  # files that were not read lately can now be evicted
        try:
            return self._pool.read(name, offset, out)
        except OSError as error:
            self._leave_uncached(name, error)
            return None

    def invalidate(self, name: str) -> None:
        """Have a shard downloaded again, once: its checksum was right when it was downloaded."""
        with self._lock:
            if name in self._invalidated:
                return
            self._invalidated.add(name)
            _log.warning(
                "%s/%s: its copy in the cache has changed since the download; downloading it again",
                self._location, name,
            )  # fmt: skip
            self._downloads.remove(name)
            self._pool.close(name)

    def prefetch(self, names: Sequence[str]) -> None:
        """Download these in the background, while others are read."""
        self._uncached.clear()
        self._pool.close_unused()
        self._prefetching.add(names)

    def stop_prefetch(self) -> None:
        """Stop the downloads that no read waits for."""
        self._prefetching.stop()

    def close(self) -> None:
        """Close files and end threads."""
        self._prefetching.stop()
        self._pool.clear()

    def _leave_uncached(self, name: str, error: OSError) -> None:
        self._uncached.add(name)
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s/%s: not cached, read by range requests, which is slower; so are shards that "
                "follow: %s",
                self._location, name, error.strerror or error,
            )  # fmt: skip


def _fetch(downloads: Downloads, pool: FilePool[str], name: str, stop: Event) -> None:
    """Download a shard in advance; the read that follows reports an error."""
    try:
        pool.open(name, partial(downloads.shard, stop=stop))
    except (CorruptShardError, LoadError, OSError, StoppedError) as error:
        _log.debug("%s: not downloaded in advance: %s", name, error)
