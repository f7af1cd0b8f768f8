"""Megatron-Energon 7: a source as a dataset, with `.tar.idx` files and a `.nv-meta` folder.

Format: `flavors/webdataset/{itar,indexing,prepare}.py` of NVIDIA/Megatron-Energon. A `.tar.idx`
holds the offset of each sample and the end of the last one, as little-endian uint64.
`.nv-meta/index.sqlite` has a row for each sample and each member. Energon rejects shards without
samples, so they are left out.
"""

import json
import struct
import uuid
from collections.abc import Iterator, Sequence
from functools import partial

from shards.index import FileContents, IndexFiles, IndexFormat, Listing, Splits
from shards.index.energon_database import write_database
from shards.manifest import ShardInfo
from shards.tar import Entry

_VERSION = "7.4.1"
"""The version of Energon that these tables are of."""
_META = ".nv-meta"
_NAMESPACE = uuid.UUID("8b5f0f1c-5d36-5c0e-9a53-0f5f9a1f7c11")
"""Namespace of the uuid of an index: the same shards give the same uuid."""
_DATASET = "__module__: megatron.energon\n__class__: CrudeWebdataset\n"


def shard_files(name: str, entries: Sequence[Entry]) -> FileContents:
    """`<name>.tar.idx`; no file for an empty shard."""
    if not entries:
        return {}
    offsets = [entry.offset for entry in entries]
    offsets.append(entries[-1].offset + entries[-1].size)
    return {f"{name}.tar.idx": struct.pack(f"<{len(offsets)}Q", *offsets)}


def source_files(splits: Splits) -> IndexFiles:
    """The files of `.nv-meta`; none for a source without samples."""
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
        # First: writing it raises for shards that Energon rejects.
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
    """The three splits that Energon requires: an empty list is fine, a missing one is an error."""
    groups: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for name, listing in splits.items():
        group = next((group for group in ("val", "test") if name.startswith(group)), "train")
        groups[group] += [_path(listing, info) for info in listing.manifest.shards if info.samples]
    lines = ["exclude: []", "split_parts:"]
    for group, paths in groups.items():
        lines.append(f"  {group}:{'' if paths else ' []'}")
        lines += [f"  - {path}" for path in paths]
    return "\n".join(lines) + "\n"


ENERGON = IndexFormat(
    "energon",
    ("*/.nv-meta/*", "*/*/*.tar.idx"),
    shard_files=shard_files,
    source_files=source_files,
)
