"""The files of a split at a URL: read by ranges, or through a cache."""

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
from shards.load.storage.cached import CachedShards, Downloads, Wanted, download
from shards.load.storage.file_pool import OpenFile
from shards.load.storage.remote_store import RemoteStore
from shards.manifest import MANIFEST, Manifest, is_whole, read_manifest

_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)


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
        self._folder = self._make_folder()
        found = _read_manifest(self._folder, self.where)
        self._files = found.files
        self._shards = _shards(found, self.where)
        self._downloads = Downloads(self._store, cache, self._shards) if cache else None
        self._cached = CachedShards(self._downloads, self.where) if self._downloads else None
        self._held: list[OpenFile] = []

    def __repr__(self) -> str:
        return f"RemoteFiles({self.where!r}, {self._cache!r})"

    def __reduce__(self) -> tuple[type["RemoteFiles"], tuple[str, Cache | None, bytes]]:
        return type(self), (self._url, self._cache, self._content)

    def path(self, name: str) -> Path:
        """The whole file, beside the manifest; it is there as long as this object."""
        if not (self._folder / MANIFEST).exists():  # somebody tidied up where such folders are
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
        """Fill `out` with a file's bytes from an offset on."""
        if name not in self._shards:
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: the manifest names no such shard; expected "
                f"one of {len(self._shards)}, like {next(iter(self._shards), '(none)')}"
            )
        found = self._cached.read(name, offset, out) if self._cached else None
        if found is None:
            data = self._store.read(name, offset, len(out))
            found = len(data)
            if found == len(out):
                out[:] = data
        if found != len(out):
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {found}; copy it there again"
            )

    def doubt(self, name: str, /) -> bool:
        """Forget a copy in the cache whose disk did not keep what was downloaded."""
        if self._cached:
            self._cached.doubt(name)
        return self._cached is not None

    def ahead(self, names: Sequence[str]) -> None:
        """Download these into the cache, while others are read."""
        if self._cached:
            self._cached.ahead(names)

    def stop_prefetch(self) -> None:
        """Break downloads off that nobody waits for; they go on from there when they are wanted."""
        if self._cached:
            self._cached.stop_prefetch()

    def close(self) -> None:
        """Let go of files and threads."""
        if self._cached:
            self._cached.close()

    def _bring(self, name: str, path: Path) -> None:
        """Bring a file of the manifest's here; where there is a cache, a link into that."""
        digest = self._files.get(name)
        if digest is None:
            raise CorruptShardError(
                f"{self.where}/{name}, byte 0: the manifest names no such file; make it with "
                f"`python -m shards.index`, and copy it there with the manifest"
            )
        wanted = Wanted(name, self._store.size(name), digest)
        if self._downloads is not None:
            try:
                fd = self._downloads.entry(wanted)
            except OSError:  # no room
                pass
            else:
                self._held.append(OpenFile(fd))
                with suppress(FileExistsError):  # another thread was first
                    path.symlink_to(self._downloads.place(wanted))
                return
        fd, part = tempfile.mkstemp(dir=self._folder)
        try:
            download(self._store, wanted, fd)
        except OSError as error:
            raise LoadError(
                f"{self.where}/{name}: no place for it in {self._folder}: {error.strerror}; name "
                f"another folder (TMPDIR)"
            ) from error
        finally:
            os.close(fd)
        Path(part).replace(path)


def _read_manifest(folder: Path, where: str) -> Manifest:
    try:
        manifest = read_manifest(folder)
    except CorruptShardError as error:
        message = str(error).replace(str(folder), where)
        raise CorruptShardError(message) from None
    if manifest.checksum and not is_whole(folder, manifest):
        raise CorruptShardError(
            f"{where}/{MANIFEST}, byte 0: not what was written; copy it there again"
        )
    return manifest


def _shards(manifest: Manifest, where: str) -> dict[str, Wanted]:
    """The shards by the names of their tars, which are asked for as they stand."""
    for info in manifest.shards:
        if _NAME.fullmatch(info.name) is None:
            raise CorruptShardError(
                f"{where}/{MANIFEST}, byte 0: {info.name[:80]!r} is no name of a shard"
            )
    return {
        f"{info.name}.tar": Wanted(f"{info.name}.tar", info.bytes, info.sha256)
        for info in manifest.shards
    }


def _remove(folder: Path, process: int) -> None:
    """Remove a folder, unless this is a forked child: it is its parent's."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
