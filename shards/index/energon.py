"""Megatron-Energon 7: a source as a dataset, with `.tar.idx` files and a `.nv-meta` folder.

Format: `flavors/webdataset/{itar,indexing,prepare}.py` of NVIDIA/Megatron-Energon.
`<shard>.tar.idx` holds where each sample's first header is, and where the last sample ends, as
little-endian uint64; `.nv-meta/index.sqlite` has a row for each sample and each part of one.
Energon refuses shards without samples: they are left out.
"""

import json
import sqlite3
import struct
import uuid
from collections.abc import Iterator, Sequence

from shards.index import Files, IndexFormat, Listing, Splits
from shards.manifest import ShardInfo
from shards.tar import Entry, split_name

_VERSION = "7.4.1"
"""Of Energon, whose tables these are."""
_META = ".nv-meta"
_NAMESPACE = uuid.UUID("8b5f0f1c-5d36-5c0e-9a53-0f5f9a1f7c11")
"""Of the uuids that say whether an index changed: the same shards have the same one."""
_SCHEMA = """
CREATE TABLE samples (
    tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
    byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (
    tar_file_id INTEGER NOT NULL, sample_index INTEGER NOT NULL, part_name TEXT NOT NULL,
    content_byte_offset INTEGER NOT NULL, content_byte_size INTEGER NOT NULL);
"""
_INDICES = """
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset);
CREATE INDEX idx_sample_parts_full ON sample_parts(
    tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size);
"""
_DATASET = "__module__: megatron.energon\n__class__: CrudeWebdataset\n"


def shard_files(name: str, entries: Sequence[Entry]) -> Files:
    """`<name>.tar.idx`; none for an empty shard."""
    if not entries:
        return {}
    places = [entry.offset for entry in entries]
    places.append(entries[-1].offset + entries[-1].size)
    return {f"{name}.tar.idx": struct.pack(f"<{len(places)}Q", *places)}


def source_files(splits: Splits) -> Files:
    """Everything in `.nv-meta`; none for a source without samples."""
    filled = {name: listing for name, listing in splits.items() if listing.manifest.samples}
    if not filled:
        return {}
    counts = {
        _path(listing, info): info.samples
        for listing in filled.values()
        for info in listing.manifest.shards
        if info.samples
    }
    info = {"energon_version": _VERSION, "shard_counts": counts}
    plans = "/".join(listing.manifest.checksum for listing in filled.values())
    return {
        f"{_META}/.info.json": json.dumps(info, indent=2).encode(),
        f"{_META}/split.yaml": _split_yaml(filled).encode(),
        f"{_META}/dataset.yaml": _DATASET.encode(),
        f"{_META}/index.sqlite": _index(filled),
        f"{_META}/index.uuid": str(uuid.uuid5(_NAMESPACE, plans)).encode(),
    }


def _path(listing: Listing, info: ShardInfo) -> str:
    return f"{listing.manifest.split}/{info.name}.tar"


def _split_yaml(splits: Splits) -> str:
    """Energon knows train, val and test; both of the first are expected to be there."""
    parts: dict[str, list[str]] = {"train": [], "val": []}
    for name, listing in splits.items():
        part = "test" if name.startswith("test") else "val" if name.startswith("val") else "train"
        paths = [_path(listing, info) for info in listing.manifest.shards if info.samples]
        parts.setdefault(part, []).extend(paths)
    lines = ["exclude: []", "split_parts:"]
    for part, paths in parts.items():
        lines.append(f"  {part}:{'' if paths else ' []'}")
        lines += [f"  - {path}" for path in paths]
    return "\n".join(lines) + "\n"


def _index(splits: Splits) -> bytes:
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(_SCHEMA)
        database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", _samples(splits))
        database.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", _parts(splits))
        database.executescript(_INDICES)
        database.commit()
        return database.serialize()
    finally:
        database.close()


def _entries(splits: Splits) -> Iterator[tuple[int, int, Entry]]:
    """(number of the tar, number in it, entry) of every sample."""
    shards = (entries for listing in splits.values() for _, entries in listing.shards() if entries)
    for tar, entries in enumerate(shards):
        for number, entry in enumerate(entries):
            yield tar, number, entry


def _samples(splits: Splits) -> Iterator[tuple[int, str, int, int, int]]:
    for tar, number, entry in _entries(splits):
        yield tar, entry.key, number, entry.offset, entry.size


def _parts(splits: Splits) -> Iterator[tuple[int, int, str, int, int]]:
    for tar, number, entry in _entries(splits):
        for member in entry.members:
            yield tar, number, split_name(member.name)[1], member.offset, member.size


ENERGON = IndexFormat("energon", shard_files=shard_files, source_files=source_files)
