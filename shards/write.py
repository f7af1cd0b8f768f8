"""Put one shard on disk: all of it, or nothing."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from xxhash import xxh3_64_intdigest

from shards.checksum import hash_bytes
from shards.errors import SampleError, ShardError
from shards.index import IndexFormat
from shards.index.samples import Rows
from shards.layout import to_members
from shards.manifest import ShardInfo, encode
from shards.sample import Sample, check
from shards.store import publish, temporary_name, write_whole
from shards.tally import Tally
from shards.tar import BLOCK, END, Entry, Member, member_bytes


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
        self._stream = self._temporary.open("wb", buffering=1 << 20)
        self._hash = hashlib.sha256()
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
            self._stream.close()  # which writes what is buffered, and fails on a full disk
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(self, sample: Sample) -> None:
        """Append one sample.

        Raises:
            SampleError: if it breaks the format. That is a bug in the caller, not bad data.
        """
        if sample.key in self._keys:
            raise SampleError(f"{sample.key}: stands in {self._name} already")
        parts: list[bytes] = []
        members: list[Member] = []
        offset = self._offset
        for extension, content in to_members(check(sample)):
            name = f"{sample.key}.{extension}"
            header, _, padding = member_bytes(name, content)
            parts += (header, content, padding)
            members.append(Member(name, offset + BLOCK, len(content)))
            offset += BLOCK + len(content) + len(padding)
        whole = b"".join(parts)
        checksum = xxh3_64_intdigest(whole)
        entry = Entry(sample.key, self._offset, len(whole), checksum, tuple(members))
        self._entries.append(entry)
        self._rows.add(sample, entry)
        self._keys.add(sample.key)
        self._write(whole)

    def _write(self, part: bytes) -> None:
        self._stream.write(part)
        self._hash.update(part)
        self._offset += len(part)

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
        self._write(END)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        sha256 = self._hash.hexdigest()
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
