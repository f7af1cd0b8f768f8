"""The files of a split at a URL: read by ranges, or downloaded whole into a cache, ahead of use."""

import hashlib
import logging
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock

from xxhash import xxh3_64

from shards.errors import CorruptShardError, LoadError
from shards.load.cache import Cache
from shards.load.files import Background, Descriptors
from shards.load.remote_store import RemoteStore
from shards.manifest import MANIFEST, Manifest, ShardInfo, is_whole, read_manifest

DOWNLOADS = 4
"""Shards that one process downloads at once."""
_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")
_log = logging.getLogger("shards.load")


class RemoteFiles:
    """Files at a URL. The manifest is asked for once, and vouches for the rest."""

    def __init__(self, url: str, cache: Cache | None = None, manifest: bytes = b"") -> None:
        """Fetch the manifest.

        Args:
            url: of the split's folder. Its user, password and query go with every request, and
                into no message.
            cache: where whole files are kept; without one, shards are read by ranges.
            manifest: for a copy of these files in another process: it sees what the first saw.

        Raises:
            CorruptShardError: if there is no manifest, or a damaged one.
            LoadError: if the URL is not understood, or its server does not answer or refuses.
        """
        self._url, self._cache = url, cache
        self._store = RemoteStore(url)
        self.where = self._store.where
        self._content = manifest or self._store.whole(MANIFEST)
        self._scratch: Path | None = None
        self._lock = Lock()
        self._manifest = self._read_manifest()
        self._shards = {f"{info.name}.tar": info for info in self._manifest.shards}
        self._damaged: dict[str, str] = {}
        self._by_range: set[str] = set()
        self._warned = False
        self._open = Descriptors(self._fetch_now)
        self._ahead = Background(self._fetch_ahead, DOWNLOADS)

    def __repr__(self) -> str:
        return f"RemoteFiles({self.where!r}, {self._cache!r})"

    def __reduce__(self) -> tuple[type["RemoteFiles"], tuple[str, Cache | None, bytes]]:
        return type(self), (self._url, self._cache, self._content)

    def path(self, name: str) -> Path:
        """The whole file, beside the manifest."""
        with self._lock:
            path = self._folder() / name
            if not path.exists():
                self._fetch_beside(name, path)
        return path

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on."""
        found = self._read_cached(name, offset, out) if self._cache else None
        if found is None:
            self._info(name)
            data = self._store.read(name, offset, len(out))
            found = len(data)
            if found == len(out):
                out[:] = data
        if found != len(out):
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {found}; copy it there again"
            )

    def ahead(self, names: Sequence[str]) -> None:
        """Download these, while others are read."""
        if self._cache is None:
            return
        self._by_range.clear()
        self._open.close_unused()
        self._ahead.add(names)

    def close(self) -> None:
        """Let go of files, threads and the folder of the manifest."""
        self._ahead.stop()
        self._open.forget()
        with self._lock:
            if self._scratch is not None:
                self._remove_scratch()
                self._scratch = None

    def _folder(self) -> Path:
        """A folder of this object, with the manifest in it."""
        if self._scratch is None:
            if self._cache is None:
                self._scratch, fd = Path(tempfile.mkdtemp(prefix="shards-")), -1
            else:
                self._scratch, fd = self._cache.scratch()
            self._remove_scratch = weakref.finalize(self, _remove, self._scratch, fd, os.getpid())
            (self._scratch / MANIFEST).write_bytes(self._content)
        return self._scratch

    def _read_manifest(self) -> Manifest:
        folder = self._folder()
        try:
            manifest = read_manifest(folder)
        except CorruptShardError as error:
            message = str(error).replace(str(folder), self.where)
            raise CorruptShardError(message) from None
        if manifest.checksum and not is_whole(folder, manifest):
            raise CorruptShardError(
                f"{self.where}/{MANIFEST}, byte 0: not what was written; copy it there again"
            )
        return manifest

    def _info(self, name: str) -> ShardInfo:
        info = self._shards.get(name)
        if info is None:
            raise CorruptShardError(
                f"{self.where}/{name}, byte 0: the manifest names no such shard; expected one of "
                f"{len(self._shards)}, like {next(iter(self._shards), '(none)')}"
            )
        return info

    def _read_cached(self, name: str, offset: int, out: memoryview) -> int | None:
        try:
            return self._open.read(name, offset, out)
        except OSError as error:
            self._read_by_range(name, error)
            return None

    def _read_by_range(self, name: str, error: OSError) -> None:
        """Without room on the disk it goes on, more slowly."""
        self._by_range.add(name)
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s/%s: not cached, read by ranges like others that follow, which is slower: %s",
                self.where, name, error.strerror or error,
            )  # fmt: skip

    def _fetch_now(self, name: str) -> int:
        """A descriptor of a shard that somebody waits for: what was not read lately makes room."""
        if name in self._by_range:
            raise OSError
        try:
            return self._fetch_shard(name)
        except OSError:
            self._open.close_unused()
            return self._fetch_shard(name)

    def _fetch_shard(self, name: str, stop: Event | None = None) -> int:
        """A descriptor of a cached shard."""
        info = self._info(name)
        if name in self._damaged:
            raise CorruptShardError(self._damaged[name])
        try:
            return self._fetch(name, info.sha256, info.bytes, stop)
        except CorruptShardError as error:
            self._damaged[name] = str(error)
            raise

    def _fetch_ahead(self, name: str, stop: Event) -> None:
        """Whoever reads the shard hears what is wrong with it."""
        try:
            self._open.open(name, lambda name: self._fetch_shard(name, stop))
        except (CorruptShardError, LoadError, OSError, _StoppedError) as error:
            _log.debug("%s/%s: not downloaded ahead: %s", self.where, name, error)

    def _fetch_beside(self, name: str, path: Path) -> None:
        """Bring a file of the manifest's beside it."""
        digest = self._manifest.files.get(name)
        if name in self._shards:
            digest = self._shards[name].sha256
        if digest is None:
            raise CorruptShardError(
                f"{self.where}/{name}, byte 0: the manifest names no such file; make it with "
                f"`python -m shards.index`, and copy it there with the manifest"
            )
        size = self._store.size(name)
        if self._cache is not None:
            try:
                fd = self._fetch(name, digest, size, None)
            except OSError as error:
                self._read_by_range(name, error)
            else:
                try:
                    self._cache.link(fd, _key(self.where, name, digest), path)
                finally:
                    os.close(fd)
                return
        part = path.with_name(f".{name}")
        with part.open("wb") as stream:
            self._download(name, digest, size, stream.fileno(), None)
        part.replace(path)

    def _fetch(self, name: str, digest: str, size: int, stop: Event | None) -> int:
        assert self._cache is not None  # noqa: S101 - its callers have looked
        return self._cache.fetch(
            _key(self.where, name, digest),
            size,
            lambda fd: self._download(name, digest, size, fd, stop),
        )

    def _download(self, name: str, digest: str, size: int, fd: int, stop: Event | None) -> None:
        """Write a file, and compare it with its digest. A damaged one has a second chance."""
        for last in (False, True):
            found = hashlib.sha256() if len(digest) == 64 else xxh3_64()  # noqa: PLR2004
            at = 0
            for piece in self._store.stream(name, size):
                found.update(piece)
                at = _write(fd, piece, at)
                if stop is not None and stop.is_set():
                    raise _StoppedError
            if found.hexdigest() == digest:
                return
            what = f"digest {found.hexdigest()}, the manifest says {digest}"
            if last:
                raise CorruptShardError(
                    f"{self.where}/{name}, byte 0: downloaded twice, each time with {what}; copy "
                    f"the shard and the manifest there again"
                )
            _log.warning("%s/%s: downloaded with %s; once more", self.where, name, what)


class _StoppedError(Exception):
    """A download that nobody waits for any more."""


def _key(where: str, name: str, digest: str) -> str:
    """The name of a cached file. Digests come from elsewhere, and become names of files here."""
    if _DIGEST.fullmatch(digest) is None:
        raise CorruptShardError(
            f"{where}/{name}, byte 0: the manifest has {digest[:80]!r} for its digest; expected 16 "
            f"or 64 hexadecimal digits"
        )
    return f"{'sha256' if len(digest) == 64 else 'xxh3'}-{digest}"  # noqa: PLR2004


def _write(fd: int, piece: bytes, at: int) -> int:
    view = memoryview(piece)
    while view:
        written = os.pwrite(fd, view, at)
        at, view = at + written, view[written:]
    return at


def _remove(folder: Path, fd: int, process: int) -> None:
    """Remove a folder, unless this is a forked child: it is its parent's."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
        if fd >= 0:
            os.close(fd)
