"""Put one shard on disk: all of it, or nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from shards.checksum import hash_bytes
from shards.errors import SampleError, ShardError
from shards.index import IndexFormat
from shards.index.samples import Rows
from shards.layout import to_members
from shards.manifest import ShardInfo, encode
from shards.sample import Sample, check
from shards.store import publish, temporary_name, write_whole
from shards.stream import HashedStream
from shards.tally import Tally
from shards.tar import END, Entry, lay_out


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
