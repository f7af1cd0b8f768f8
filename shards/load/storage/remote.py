"""The files of a split at a URL: read by range requests, or through a cache."""

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from shards.errors import CorruptShardError, LoadError
from shards.load.storage.cache import Cache
from shards.load.storage.cached import CachedShards, Downloads, RemoteFile, download
from shards.load.storage.files import OpenFile
from shards.load.storage.remote_store import RemoteStore
from shards.manifest import MANIFEST, Manifest, is_whole, read_manifest

_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)


class RemoteFiles:
    """Files at a URL. The manifest is requested once; its digests verify all other files."""

    def __init__(self, url: str, cache: Cache | None = None, manifest: bytes = b"") -> None:
        """Fetch the manifest.

        Args:
            url: of the split's folder. Its user, password and query are sent with every request
                and never appear in a message.
            cache: where whole files are kept; without one, shards are read by range requests.
            manifest: of the original, if this is a copy in another process: both then see the same.

        Raises:
            CorruptShardError: if there is no manifest, or a damaged one.
            LoadError: if the URL is not valid, or its server does not answer or refuses.
            MissingExtraError: if obstore is not installed.
        """
        self._url, self._cache = url, cache
        self._store = RemoteStore(url)
        self.location = self._store.location
        self._content = manifest or self._store.whole(MANIFEST)
        self._folder = self._make_folder()
        parsed = _read_manifest(self._folder, self.location)
        self._files = parsed.files
        self._shards = _list_shards(parsed, self.location)
        self._downloads = Downloads(self._store, cache, self._shards) if cache else None
        self._cached = CachedShards(self._downloads, self.location) if self._downloads else None
        self._open_entries: list[OpenFile] = []

    def __repr__(self) -> str:
        return f"RemoteFiles({self.location!r}, {self._cache!r})"

    def __reduce__(self) -> tuple[type["RemoteFiles"], tuple[str, Cache | None, bytes]]:
        return type(self), (self._url, self._cache, self._content)

    def path(self, name: str) -> Path:
        """The local path of a whole file; it exists as long as this object.

        Raises:
            CorruptShardError: if the file is missing at the URL, or not what was written.
            LoadError: if the server does not answer or refuses, or the disk is full.
        """
        if not (self._folder / MANIFEST).exists():  # something cleaned the temporary folder
            self._folder = self._make_folder()
        path = self._folder / name
        if not path.exists():
            self._bring(name, path)
        return path

    def _make_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="shards-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        (folder / MANIFEST).write_bytes(self._content)
        return folder

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on.

        Raises:
            CorruptShardError: naming file and offset, if the file is missing or too short.
            LoadError: if the server does not answer or refuses.
        """
        if name not in self._shards:
            raise CorruptShardError(
                f"{self.location}/{name}, byte {offset}: the manifest names no such shard; "
                f"expected one of {len(self._shards)}, like {next(iter(self._shards), '(none)')}"
            )
        size = self._cached.read(name, offset, out) if self._cached else None
        if size is None:
            data = self._store.read(name, offset, len(out))
            size = len(data)
            if size == len(out):
                out[:] = data
        if size != len(out):
            raise CorruptShardError(
                f"{self.location}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {size}; copy it there again"
            )

    def report_corrupt(self, name: str, /) -> bool:
        """Remove a shard's copy from the cache; True if there is a cache, to download it again."""
        if self._cached:
            self._cached.invalidate(name)
        return self._cached is not None

    def prefetch(self, names: Sequence[str]) -> None:
        """Download these shards into the cache in the background."""
        if self._cached:
            self._cached.prefetch(names)

    def stop_prefetch(self) -> None:
        """Stop downloads that no read waits for; they continue from there when needed again."""
        if self._cached:
            self._cached.stop_prefetch()

    def close(self) -> None:
        """Close files and end threads."""
        if self._cached:
            self._cached.close()

    def _bring(self, name: str, path: Path) -> None:
        """Download a file of the manifest; if there is a cache, as a link into it."""
        digest = self._files.get(name)
        if digest is None:
            raise CorruptShardError(
                f"{self.location}/{name}, byte 0: the manifest names no such file; create it with "
                f"`python -m shards.index`, and copy it there with the manifest"
            )
        file = RemoteFile(name, self._store.size(name), digest)
        if self._downloads is not None:
            try:
                fd = self._downloads.entry(file)
            except OSError:  # the cache has no space for it
                pass
            else:
                self._open_entries.append(OpenFile(fd))
                with suppress(FileExistsError):  # another thread was first
                    path.symlink_to(self._downloads.path(file))
                return
        fd, part = tempfile.mkstemp(dir=self._folder)
        try:
            download(self._store, file, fd)
        except OSError as error:
            raise LoadError(
                f"{self.location}/{name}: cannot be written to {self._folder}: {error.strerror}; "
                f"name another folder (TMPDIR)"
            ) from error
        finally:
            os.close(fd)
        Path(part).replace(path)


def _read_manifest(folder: Path, location: str) -> Manifest:
    try:
        manifest = read_manifest(folder)
    except CorruptShardError as error:
        message = str(error).replace(str(folder), location)
        raise CorruptShardError(message) from None
    if manifest.checksum and not is_whole(folder, manifest):
        raise CorruptShardError(
            f"{location}/{MANIFEST}, byte 0: not what was written; copy it there again"
        )
    return manifest


def _list_shards(manifest: Manifest, location: str) -> dict[str, RemoteFile]:
    """The shards by the names of their tars; these become parts of URLs, so they are checked."""
    for info in manifest.shards:
        if _NAME.fullmatch(info.name) is None:
            raise CorruptShardError(
                f"{location}/{MANIFEST}, byte 0: {info.name[:80]!r} is not a valid name of a shard"
            )
    return {
        f"{info.name}.tar": RemoteFile(f"{info.name}.tar", info.bytes, info.sha256)
        for info in manifest.shards
    }


def _remove(folder: Path, process: int) -> None:
    """Remove a folder, except in a forked child: it belongs to the parent."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
