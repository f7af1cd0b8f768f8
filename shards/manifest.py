"""Records of what was written: a `ShardInfo` per shard, a `Manifest` per split of a source."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from shards.classes import ClassInfo
from shards.errors import CorruptShardError
from shards.storage import hash_bytes


class Tally(msgspec.Struct, frozen=True):
    """Counts of the items of a shard or split. They depend on the data alone.

    Attributes:
        items: planned ones: the sum of samples, rejected and filtered items.
        rejected: name of an error -> items; `<shard>.rejects.jsonl` has a row for each.
        notes: what was normalised or left out -> how often.
        bytes_in: of the photos and label maps read.
        filtered: name of a filter -> items that it left out; also rows of that file.

    >>> tally = Tally(items=10, rejected={"SpanError": 1}, filtered={"too small": 2})
    >>> tally.items - tally.lost
    7
    """

    items: int = 0
    rejected: Mapping[str, int] = {}
    notes: Mapping[str, int] = {}
    bytes_in: int = 0
    filtered: Mapping[str, int] = {}

    @property
    def lost(self) -> int:
        """Number of items without a sample: rejected or filtered."""
        return sum(self.rejected.values()) + sum(self.filtered.values())


def sum_tallies(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies; errors, notes and filters in alphabetical order."""
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
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for bytes that are not of the format."""


class ShardInfo(msgspec.Struct, frozen=True):
    """A finished shard. `<name>.json` is written last: if it exists, the shard is complete.

    Attributes:
        bytes: of the tar.
        sha256: of the tar, hexadecimal.
        task: digest of everything that determines this shard's bytes; a resumed run compares it.
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
    """Photos of a train split that are also in evaluation splits.

    Attributes:
        photos: their number, before any is excluded.
        excluded: whether they were left out of the split.
        splits: `<source>/<split>` of an evaluation split -> how many of them it holds.
    """

    photos: int = 0
    excluded: bool = False
    splits: Mapping[str, int] = {}


class Manifest(msgspec.Struct, frozen=True):
    """A finished split: totals, the image policy, and its shards in order.

    Attributes:
        policy: how images were stored.
        files: other files of the split, not of one shard -> xxh3 of each.
        checksum: xxh3 of the encoded manifest with this field empty.
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


def build_manifest(  # noqa: PLR0913 - a field each
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
    """The manifest of a split, from the records of its shards.

    Args:
        source: its name.
        split: its name.
        plan: digest of the whole plan of this split.
        policy: how images were stored.
        infos: one per planned shard, in order.
        evaluated: photos that are also in evaluation splits.
        files: other files of the split, not of one shard -> xxh3 of each.
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
        tally=sum_tallies(info.tally for info in infos),
        shards=tuple(infos),
        evaluated=evaluated,
        files=dict(files),
        indexes=tuple(sorted(indexes)),
    )
    return msgspec.structs.replace(manifest, checksum=hash_bytes(encode_json(manifest)))


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether the manifest file of a split matches its own checksum, byte for byte."""
    content = (folder / MANIFEST).read_bytes()
    field = f'"checksum": "{manifest.checksum}"'.encode()
    return hash_bytes(content.replace(field, b'"checksum": ""')) == manifest.checksum


def encode_json(value: ShardInfo | Manifest | Sequence[ClassInfo]) -> bytes:
    """Canonical JSON: equal values give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted")) + b"\n"


def read_info(path: Path) -> ShardInfo | None:
    """The record of a finished shard; None if it is missing or unreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ShardInfo)
    except (FileNotFoundError, *_DECODE_ERRORS):
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a split's folder.

    Raises:
        CorruptShardError: if it is missing, damaged, or of an unsupported format version.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise CorruptShardError(
            f"{path}: no such file; expected a folder like OUT/refcoco/train that "
            f"`python -m convert.run` finished"
        ) from error
    except _DECODE_ERRORS as error:
        raise CorruptShardError(f"{path}: not a manifest: {error}") from error
    if manifest.format_version != FORMAT_VERSION:
        raise CorruptShardError(
            f"{path}: format version {manifest.format_version}, expected {FORMAT_VERSION}; "
            f"install a glamm-shards that reads it"
        )
    return manifest
