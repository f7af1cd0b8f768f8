"""Shards of a URL in a cache: downloaded whole, ahead of use or when they are read."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock

from shards.errors import CorruptShardError, LoadError
from shards.load.background import Background
from shards.load.cache import Cache
from shards.load.descriptors import Descriptors
from shards.load.download import StoppedError, Wanted, download, key_of
from shards.load.remote_store import RemoteStore

DOWNLOADS = 4
"""Shards that one process downloads at once."""
_log = logging.getLogger("shards.load")


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
        self._open = Descriptors(downloads.shard)
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

    def stop_ahead(self) -> None:
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


def _fetch(downloads: Downloads, opened: Descriptors[str], name: str, stop: Event) -> None:
    """Whoever reads the shard hears what is wrong with it."""
    try:
        opened.open(name, partial(downloads.shard, stop=stop))
    except (CorruptShardError, LoadError, OSError, StoppedError) as error:
        _log.debug("%s: not downloaded ahead: %s", name, error)
