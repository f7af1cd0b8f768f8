"""Megatron-Energon 7: a source as a dataset, with `.tar.idx` files and a `.nv-meta` folder.

Format: `flavors/webdataset/{itar,indexing,prepare}.py` of NVIDIA/Megatron-Energon. A `.tar.idx`
holds where each sample's first header is, and where the last sample ends, as little-endian uint64.
`.nv-meta/index.sqlite` has a row for each sample and each part of one. Energon refuses shards
without samples: they are left out.
"""

import json
import sqlite3
import struct
import uuid
from collections.abc import Iterator, Sequence

from shards.errors import CorruptShardError
from shards.index import Files, IndexFormat, Listing, Splits
from shards.manifest import ShardInfo
from shards.tar import Entry, split_name

_VERSION = "7.4.1"
"""Of Energon, whose tables these are."""
_META = ".nv-meta"
_NAMESPACE = uuid.UUID("8b5f0f1c-5d36-5c0e-9a53-0f5f9a1f7c11")
"""Of the uuids that say whether an index changed: the same shards have the same one."""
_MAX_PAGES = (2**31 - 1) // 4096
"""SQLite cannot give a larger database as bytes: it allocates no more than 2 GiB at once."""
_SCHEMA = """
CREATE TABLE samples (
    tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
    byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (
    tar_file_id INTEGER, sample_index INTEGER, part_name TEXT,
    content_byte_offset INTEGER, content_byte_size INTEGER);
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
    """Everything in `.nv-meta`; none for a source without samples.

    A source of more than about eight million samples has no `index.sqlite`. Energon loads it as
    ever; for joins and random access, `energon prepare --tar-index-only SOURCE` makes one.

    Raises:
        CorruptShardError: if a key comes more than once, which Energon refuses.
    """
    filled = {name: listing for name, listing in splits.items() if listing.manifest.samples}
    if not filled:
        return {}
    shards = [
        (_path(listing, info), info)
        for listing in filled.values()
        for info in listing.manifest.shards
        if info.samples
    ]
    info = {
        "energon_version": _VERSION,
        "shard_counts": {path: info.samples for path, info in shards},
    }
    content = "/".join(info.sha256 for _, info in shards)
    files = {
        f"{_META}/.info.json": json.dumps(info, indent=2).encode(),
        f"{_META}/split.yaml": _split_yaml(filled).encode(),
        f"{_META}/dataset.yaml": _DATASET.encode(),
        f"{_META}/index.uuid": str(uuid.uuid5(_NAMESPACE, content)).encode(),
    }
    index = _index(filled)
    return files if index is None else {**files, f"{_META}/index.sqlite": index}


def _path(listing: Listing, info: ShardInfo) -> str:
    return f"{listing.manifest.split}/{info.name}.tar"


def _split_yaml(splits: Splits) -> str:
    """The parts that Energon asks for: it skips an empty one, and fails where one is not listed."""
    parts: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for name, listing in splits.items():
        part = next((part for part in ("val", "test") if name.startswith(part)), "train")
        parts[part] += [_path(listing, info) for info in listing.manifest.shards if info.samples]
    lines = ["exclude: []", "split_parts:"]
    for part, paths in parts.items():
        lines.append(f"  {part}:{'' if paths else ' []'}")
        lines += [f"  - {path}" for path in paths]
    return "\n".join(lines) + "\n"


def _index(splits: Splits) -> bytes | None:
    """The database, or None if it is too large.

    The same rows give the same bytes: whatever a build of SQLite may choose is set, temporary
    files included, and a database in memory does not note which version wrote it.
    """
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(
            "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE; PRAGMA encoding = 'UTF-8';"
            f"PRAGMA temp_store = MEMORY; PRAGMA max_page_count = {_MAX_PAGES};{_SCHEMA}"
        )
        for tar, entries in enumerate(_shards(splits)):
            database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", _rows(tar, entries))
            database.executemany(
                "INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", _parts(tar, entries)
            )
        database.executescript(_INDICES)
        return database.serialize()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        return None
    except sqlite3.IntegrityError as error:
        source = next(iter(splits.values())).manifest.source
        raise CorruptShardError(f"{source}: a key comes more than once: {error}") from error
    finally:
        database.close()


def _shards(splits: Splits) -> Iterator[Sequence[Entry]]:
    for listing in splits.values():
        for _, entries in listing.shards():
            if entries:
                yield entries


def _rows(tar: int, entries: Sequence[Entry]) -> Iterator[tuple[int, str, int, int, int]]:
    for number, entry in enumerate(entries):
        yield tar, entry.key, number, entry.offset, entry.size


def _parts(tar: int, entries: Sequence[Entry]) -> Iterator[tuple[int, int, str, int, int]]:
    for number, entry in enumerate(entries):
        for member in entry.members:
            yield tar, number, split_name(member.name)[1], member.offset, member.size


ENERGON = IndexFormat(
    "energon",
    shard_files=shard_files,
    source_files=source_files,
    patterns=("*/.nv-meta/*", "*/*/*.tar.idx"),
)
