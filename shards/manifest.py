"""What was written: one `ShardInfo` per shard, one `Manifest` per split of a source."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from shards.checksum import hash_bytes
from shards.classes import ClassInfo
from shards.errors import CorruptShardError


class Tally(msgspec.Struct, frozen=True):
    """What became of the items: all of it decided by the data, none of it by the machine.

    Attributes:
        items: how many were planned; samples, rejected and filtered items make it up.
        rejected: kind of error -> items; the rows are in `<shard>.rejects.jsonl`.
        notes: what was normalised or left out -> how often.
        bytes_in: of the photos and label maps read.
        filtered: name of a filter -> items that it left out whole; rows as of the rejected.
    """

    items: int = 0
    rejected: Mapping[str, int] = {}
    notes: Mapping[str, int] = {}
    bytes_in: int = 0
    filtered: Mapping[str, int] = {}

    @property
    def lost(self) -> int:
        """Items that became no sample."""
        return sum(self.rejected.values()) + sum(self.filtered.values())


def add(tallies: Iterable[Tally]) -> Tally:
    """Sum tallies up; kinds of errors and notes in alphabetical order."""
    items = bytes_in = 0
    rejected: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    filtered: Counter[str] = Counter()
    for tally in tallies:
        items += tally.items
        bytes_in += tally.bytes_in
        rejected.update(tally.rejected)
        notes.update(tally.notes)
        filtered.update(tally.filtered)
    counts = (dict(sorted(counter.items())) for counter in (rejected, notes, filtered))
    by_error, by_note, by_filter = counts
    return Tally(items, by_error, by_note, bytes_in, by_filter)


FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not of the format."""


class ShardInfo(msgspec.Struct, frozen=True):
    """A finished shard. `<name>.json` is written last: where it stands, the shard is complete.

    Attributes:
        bytes: of the tar.
        sha256: of the tar, hexadecimal.
        task: digest of everything that decides this shard's bytes; resume compares it.
        files: the files beside the tar -> xxh3 of each, 16 hexadecimal digits.
    """

    name: str
    samples: int
    bytes: int
    sha256: str
    task: str
    tally: Tally
    files: Mapping[str, str] = {}


class EvalOverlap(msgspec.Struct, frozen=True):
    """Photos of a train split that some source evaluates on.

    Attributes:
        photos: how many there are upstream.
        excluded: whether they were left out; they are none of the split's items then.
        splits: `<source>/<split>` -> how many of them it holds.
    """

    photos: int = 0
    excluded: bool = False
    splits: Mapping[str, int] = {}


class Manifest(msgspec.Struct, frozen=True):
    """A finished split: totals, the policy it was made by, and its shards in order.

    Attributes:
        files: of the split, beside the shards and theirs -> xxh3 of each.
        checksum: xxh3 of the manifest's own encoding while this was empty.
        indexes: names of the index formats that the job writes: their files belong to the output.
    """

    format_version: int
    source: str
    split: str
    plan: str
    policy: Mapping[str, object]
    samples: int
    bytes: int
    tally: Tally
    shards: tuple[ShardInfo, ...]
    evaluated: EvalOverlap = EvalOverlap()
    files: Mapping[str, str] = {}
    checksum: str = ""
    indexes: tuple[str, ...] = ()


NO_OVERLAP = EvalOverlap()


def collect(  # noqa: PLR0913 - a field each
    source: str,
    split: str,
    plan: str,
    policy: Mapping[str, object],
    infos: Sequence[ShardInfo],
    *,
    evaluated: EvalOverlap = NO_OVERLAP,
    files: Mapping[str, str] = MappingProxyType({}),
    indexes: Sequence[str] = (),
) -> Manifest:
    """Sum the shards' infos up, in plan order.

    Args:
        source: its name.
        split: its name.
        plan: digest of the whole plan of this split.
        policy: how images were stored, for people and loaders to read.
        infos: one per planned shard, in plan order.
        evaluated: photos that are evaluated on, too.
        files: of the split, beside the shards and theirs -> xxh3 of each.
        indexes: names of the index formats that the job writes.
    """
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        source=source,
        split=split,
        plan=plan,
        policy=policy,
        samples=sum(info.samples for info in infos),
        bytes=sum(info.bytes for info in infos),
        tally=add(info.tally for info in infos),
        shards=tuple(infos),
        evaluated=evaluated,
        files=dict(files),
        indexes=tuple(sorted(indexes)),
    )
    return msgspec.structs.replace(manifest, checksum=hash_bytes(encode(manifest)))


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether the file of a split's manifest is, byte for byte, what its checksum says."""
    content = (folder / MANIFEST).read_bytes()
    said = f'"checksum": "{manifest.checksum}"'.encode()
    return hash_bytes(content.replace(said, b'"checksum": ""')) == manifest.checksum


def encode(value: ShardInfo | Manifest | Sequence[ClassInfo]) -> bytes:
    """Canonical JSON: same value, same bytes."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted")) + b"\n"


def read_info(path: Path) -> ShardInfo | None:
    """The commit record of a shard, or None if it has none, or one of another format version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ShardInfo)
    except (FileNotFoundError, *_DAMAGED):
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a split's folder.

    Raises:
        CorruptShardError: if there is none, or it is not one, or of a version not known here.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise CorruptShardError(
            f"{path}: no such file; expected a folder like OUT/refcoco/train that "
            f"`python -m convert.run` finished"
        ) from error
    except _DAMAGED as error:
        raise CorruptShardError(f"{path}: not a manifest: {error}") from error
    if manifest.format_version != FORMAT_VERSION:
        raise CorruptShardError(
            f"{path}: of format version {manifest.format_version}, this program reads "
            f"{FORMAT_VERSION}; update glamm-shards"
        )
    return manifest
