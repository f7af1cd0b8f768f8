"""Megatron-Energon 7: a source as a dataset, with `.tar.idx` files and a `.nv-meta` folder.

Format: `flavors/webdataset/{itar,indexing,prepare}.py` of NVIDIA/Megatron-Energon. A `.tar.idx`
holds where each sample's first header is, and where the last sample ends, as little-endian uint64.
`.nv-meta/index.sqlite` has a row for each sample and each part of one. Energon refuses shards
without samples: they are left out.
"""

import json
import struct
import uuid
from collections.abc import Iterator, Sequence
from functools import partial

from shards.index import IndexFiles, IndexFormat, LargeFiles, Listing, Splits
from shards.index.energon_database import write_database
from shards.manifest import ShardInfo
from shards.tar import Entry

_VERSION = "7.4.1"
"""Of Energon, whose tables these are."""
_META = ".nv-meta"
_NAMESPACE = uuid.UUID("8b5f0f1c-5d36-5c0e-9a53-0f5f9a1f7c11")
"""Of the uuids that say whether an index changed: the same shards have the same one."""
_DATASET = "__module__: megatron.energon\n__class__: CrudeWebdataset\n"


def shard_files(name: str, entries: Sequence[Entry]) -> IndexFiles:
    """`<name>.tar.idx`; none for an empty shard."""
    if not entries:
        return {}
    places = [entry.offset for entry in entries]
    places.append(entries[-1].offset + entries[-1].size)
    return {f"{name}.tar.idx": struct.pack(f"<{len(places)}Q", *places)}


def source_files(splits: Splits) -> LargeFiles:
    """Everything in `.nv-meta`, the database as a function; none for a source without samples."""
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
    return {
        # First: it refuses shards that Energon would.
        f"{_META}/index.sqlite": partial(write_database, partial(_shards, filled)),
        f"{_META}/.info.json": json.dumps(info, indent=2).encode(),
        f"{_META}/split.yaml": _split_yaml(filled).encode(),
        f"{_META}/dataset.yaml": _DATASET.encode(),
        f"{_META}/index.uuid": str(uuid.uuid5(_NAMESPACE, content)).encode(),
    }


def _shards(splits: Splits) -> Iterator[Sequence[Entry]]:
    for listing in splits.values():
        for _, entries in listing.shards():
            if entries:
                yield entries


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


ENERGON = IndexFormat(
    "energon",
    ("*/.nv-meta/*", "*/*/*.tar.idx"),
    shard_files=shard_files,
    source_files=source_files,
)
