"""Put one shard on disk: all of it, or nothing."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from shards.checksum import hash_bytes
from shards.errors import SampleError, ShardError
from shards.index import IndexFormat
from shards.index.samples import Rows
from shards.layout import to_members
from shards.manifest import ShardInfo, Tally, encode
from shards.sample import Sample, check
from shards.storage import publish, temporary_name, write_whole
from shards.tar import END, Entry, lay_out

BATCH = 1 << 20
"""Bytes that are written at once: Linux takes a fifth less time for these than for 100 kB."""
_PARTS = 900
"""Parts that are written at once; the system takes 1024 in one call."""
_WAITING = 16
"""Batches that may wait for the thread: 16 MB. A disk that is slower than that slows the caller."""
_SYNCED = 32 << 20
"""Bytes after which the disk is given them, so that there is little to wait for at the end."""


class HashedStream:
    """Appends to a new file. Whatever fails in the thread is raised by the next call that waits."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._parts: list[bytes] = []
        self._size = 0
        self._unsynced = 0
        self._hash = hashlib.sha256()

    def append(self, parts: Iterable[bytes]) -> None:
        """Add to the end, soon.

        Raises:
            OSError: if something added before could not be written.
        """
        new = list(parts)
        self._parts += new
        self._size += sum(map(len, new))
        if self._size >= BATCH or len(self._parts) >= _PARTS:
            self._send()

    def _send(self) -> None:
        while len(self._waiting) >= _WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._put, self._parts))
        self._parts, self._size = [], 0

    def _put(self, parts: Sequence[bytes]) -> None:
        """Runs in the thread, which alone touches the file and the hash."""
        write(self._descriptor, parts)
        for part in parts:
            self._hash.update(part)  # without the interpreter's lock, if it is more than a header
        self._unsynced += sum(map(len, parts))
        if self._unsynced >= _SYNCED:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def digest(self) -> str:
        """Wait until all of it is written; its sha256, hexadecimal.

        Raises:
            OSError: if something could not be written.
        """
        self._send()
        while self._waiting:
            self._waiting.popleft().result()
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Wait until what is written is on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file; what waits is not written."""
        self._thread.shutdown(cancel_futures=True)
        os.close(self._descriptor)


def write(descriptor: int, parts: Sequence[bytes]) -> None:
    """Write all parts, in one call as a rule; at most 1024 of them."""
    written = os.writev(descriptor, parts)
    if written < sum(map(len, parts)):  # a disk that is nearly full, or a signal
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


class ShardWriter:
    """Writes `<name>.tar`, its index files and, last, `<name>.json`: that file is the commit.

    Leaving the `with` block without `commit` leaves nothing behind; a crash leaves one hidden
    temporary file. The same samples always give the same bytes, so writing a shard twice, or
    twice at once, is harmless.
    """

    def __init__(self, folder: Path, name: str, number: int = 0) -> None:
        """Begin a shard.

        Args:
            folder: made if absent; every file of the shard goes directly under it.
            name: file name without extension, unique in the folder.
            number: of the shard in its split.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self._temporary = temporary_name(folder / f"{name}.tar")
        self._stream = HashedStream(self._temporary)
        self._offset = 0
        self._entries: list[Entry] = []
        self._rows = Rows(number)
        self._keys: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            self._stream.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(self, sample: Sample) -> None:
        """Append one sample.

        Raises:
            SampleError: if it breaks the format. That is a bug in the caller, not bad data.
        """
        if sample.key in self._keys:
            raise SampleError(f"{sample.key}: stands in {self._name} already")
        parts, entry = lay_out(sample.key, to_members(check(sample)), self._offset)
        self._entries.append(entry)
        self._rows.add(sample, entry)
        self._keys.add(sample.key)
        self._offset += entry.size
        self._stream.append(parts)

    def commit(
        self,
        *,
        task: str,
        tally: Tally,
        indexes: Sequence[IndexFormat] = (),
        beside: Mapping[str, bytes] | None = None,
    ) -> ShardInfo:
        """Finish the shard and make it visible.

        Args:
            task: digest of whatever decided the samples; a resumed run compares it.
            tally: what became of the planned items.
            indexes: formats whose per-shard files to write next to the tar.
            beside: further files of the same transaction, by name.

        Raises:
            ShardError: if items are unaccounted for; nothing is left behind.
        """
        samples = len(self._keys)
        if samples + tally.lost != tally.items:
            raise ShardError(f"{self._name}: {samples} samples do not fit {tally}")
        self._stream.append([END])
        self._offset += len(END)
        sha256 = self._stream.digest()
        self._stream.sync()
        record = self._folder / f"{self._name}.json"
        record.unlink(missing_ok=True)  # an older commit must not vouch for the new tar
        publish(self._temporary, self._folder / f"{self._name}.tar")
        files = {**(beside or {}), f"{self._name}.arrow": self._rows.encode()}
        for index in indexes:
            files.update(index.shard_files(self._name, self._entries))
        hashes = {name: hash_bytes(content) for name, content in sorted(files.items())}
        info = ShardInfo(self._name, samples, self._offset, sha256, task, tally, hashes)
        for path in self._folder.glob(f"{self._name}.*"):
            if path.name not in {*files, f"{self._name}.tar"}:
                path.unlink(missing_ok=True)  # of an older shard of this name
        for name, content in files.items():
            write_whole(self._folder / name, content)
        write_whole(record, encode(info))
        return info
