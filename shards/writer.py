"""Write one shard: all of it or nothing."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from shards.errors import SampleError, ShardError
from shards.index import IndexFormat
from shards.index.samples import Rows
from shards.layout import check_sample, to_members
from shards.manifest import ShardInfo, Tally, encode_json
from shards.sample import Sample
from shards.storage import hash_bytes, publish, temporary_name, write_whole
from shards.tar import END, Entry, encode_sample

BATCH = 1 << 20
"""Bytes of one write: 20 % faster than with 100 kB on Linux."""
_MAX_BUFFERS = 900
"""Buffers of one write; the system accepts 1024."""
_MAX_QUEUED = 16
"""Writes that may be queued, of 1 MB each. If the disk is slower, `append` waits."""
_SYNC_EVERY = 32 << 20
"""Bytes between two syncs: the last one then takes little time."""


class HashedStream:
    """A new file that a thread writes and hashes. The next call that waits raises its errors."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._thread = ThreadPoolExecutor(1)
        self._queued: deque[Future[None]] = deque()
        self._buffers: list[bytes] = []
        self._size = 0
        self._unsynced = 0
        self._hash = hashlib.sha256()

    def append(self, buffers: Iterable[bytes]) -> None:
        """Queue buffers for the end of the file.

        Raises:
            OSError: if something queued before could not be written.
        """
        new = list(buffers)
        self._buffers += new
        self._size += sum(map(len, new))
        if self._size >= BATCH or len(self._buffers) >= _MAX_BUFFERS:
            self._send()

    def _send(self) -> None:
        while len(self._queued) >= _MAX_QUEUED:
            self._queued.popleft().result()
        self._queued.append(self._thread.submit(self._write, self._buffers))
        self._buffers, self._size = [], 0

    def _write(self, buffers: Sequence[bytes]) -> None:
        """Runs in the thread, the only one that uses the file and the hash."""
        write(self._descriptor, buffers)
        for buffer in buffers:
            self._hash.update(buffer)  # releases the interpreter's lock for all but headers
        self._unsynced += sum(map(len, buffers))
        if self._unsynced >= _SYNC_EVERY:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def digest(self) -> str:
        """The sha256 of the file, hexadecimal, after all of it is written.

        Raises:
            OSError: if something could not be written.
        """
        self._send()
        while self._queued:
            self._queued.popleft().result()
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Wait until the written bytes are on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; queued buffers are discarded."""
        self._thread.shutdown(cancel_futures=True)
        os.close(self._descriptor)


def write(descriptor: int, buffers: Sequence[bytes]) -> None:
    """Write all buffers, at most 1024, usually in one call."""
    written = os.writev(descriptor, buffers)
    if written < sum(map(len, buffers)):  # a disk that is nearly full, or a signal
        rest = memoryview(b"".join(buffers))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


class ShardWriter:
    """Writes `<name>.tar`, its index files and, last, its record `<name>.json`.

    A shard is complete when its record exists. A `with` block that ends without `commit` leaves no
    file; a crash leaves one hidden temporary file. The same samples always give the same bytes, so
    it does no harm if two processes write the same shard.

    >>> from tempfile import TemporaryDirectory
    >>> from shards import EncodedImage, Sample, Size, read_shard
    >>> sample = Sample("demo-1", EncodedImage(b"...", "jpg", Size(4, 4)), Size(4, 4))
    >>> with TemporaryDirectory() as folder:
    ...     with ShardWriter(Path(folder), "demo-train-000000") as writer:
    ...         writer.add(sample)
    ...         info = writer.commit(task="", tally=Tally(items=1))
    ...     [read] = read_shard(Path(folder, f"{info.name}.tar"))
    >>> read == sample
    True
    """

    def __init__(self, folder: Path, name: str, number: int = 0) -> None:
        """Start a shard.

        Args:
            folder: of the shard's files; created if it does not exist.
            name: file name without extension, unique in the folder.
            number: index of the shard in its split.
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
            SampleError: if it breaks the format: the caller must check its data before.
        """
        if sample.key in self._keys:
            raise SampleError(f"{sample.key}: this key is already in {self._name}")
        buffers, entry = encode_sample(sample.key, to_members(check_sample(sample)), self._offset)
        self._entries.append(entry)
        self._rows.add(sample, entry)
        self._keys.add(sample.key)
        self._offset += entry.size
        self._stream.append(buffers)

    def commit(
        self,
        *,
        task: str,
        tally: Tally,
        indexes: Sequence[IndexFormat] = (),
        beside: Mapping[str, bytes] | None = None,
    ) -> ShardInfo:
        """Finish the shard and publish its files.

        Args:
            task: digest of everything that determines the samples; a resumed run compares it.
            tally: counts of the planned items; samples, rejected and filtered items must add up.
            indexes: formats whose files to write beside the tar.
            beside: further files to publish with the shard: name -> content.

        Raises:
            ShardError: if the counts do not add up; no file is left.
        """
        samples = len(self._keys)
        if samples + tally.lost != tally.items:
            raise ShardError(
                f"{self._name}: {samples} samples and {tally.lost} rejected or filtered items, "
                f"expected {tally.items} in all"
            )
        self._stream.append([END])
        self._offset += len(END)
        sha256 = self._stream.digest()
        self._stream.sync()
        files = {**(beside or {}), f"{self._name}.arrow": self._rows.encode()}
        for index in indexes:
            if index.shard_files is not None:
                files.update(index.shard_files(self._name, self._entries))
        hashes = {name: hash_bytes(content) for name, content in sorted(files.items())}
        info = ShardInfo(self._name, samples, self._offset, sha256, task, tally, hashes)
        self._publish(info, files)
        return info

    def _publish(self, info: ShardInfo, files: Mapping[str, bytes]) -> None:
        """Replace the files of an older shard of this name, if any; the record comes last."""
        record = self._folder / f"{self._name}.json"
        record.unlink(missing_ok=True)  # or an older record would vouch for the new tar
        publish(self._temporary, self._folder / f"{self._name}.tar")
        for path in self._folder.glob(f"{self._name}.*"):
            if path.name not in {*files, f"{self._name}.tar"}:
                path.unlink(missing_ok=True)
        for name, content in files.items():
            write_whole(self._folder / name, content)
        write_whole(record, encode_json(info))
