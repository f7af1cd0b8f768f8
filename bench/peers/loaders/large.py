"""A readable split of ten million samples, made from few: does memory grow with its size?"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa

from bench.harness.command import Table
from bench.peers.loaders.data import OURS
from bench.peers.loaders.race import Setting, time_once
from bench.peers.loaders.tables import table
from shards.index.samples import SAMPLES, read_rows
from shards.manifest import MANIFEST, Manifest, encode_json, read_manifest

ROWS = 10_000_000
LIMIT = 300.0
"""Megabytes that the loading process may use, at most."""
_ROWS_AT_ONCE = 65_536


def write_large(split: Path, root: Path, rows: int) -> Path:
    """Write a split whose shards are links to those of another, repeated under new names."""
    folder = root / OURS
    folder.mkdir(parents=True)
    manifest, stored = read_manifest(split), read_rows(split / SAMPLES)
    copies = -(-rows // manifest.samples)
    infos = []
    for copy in range(copies):
        for number, info in enumerate(manifest.shards):
            name = f"large-{copy * len(manifest.shards) + number:06d}"
            (folder / f"{name}.tar").symlink_to(split / f"{info.name}.tar")
            infos.append(msgspec.structs.replace(info, name=name))
    with (
        pa.OSFile(str(folder / SAMPLES), "wb") as stream,
        pa.ipc.new_file(stream, stored.schema) as out,
    ):
        column = stored.schema.get_field_index("shard")
        shards = np.asarray(stored.column(column))
        for copy in range(copies):
            moved = pa.array(shards + copy * len(manifest.shards), stored.schema.field(column).type)
            some = stored.set_column(column, stored.schema.field(column), moved)
            out.write_table(some, max_chunksize=_ROWS_AT_ONCE)
    large: Manifest = msgspec.structs.replace(
        manifest, shards=tuple(infos), samples=copies * manifest.samples
    )
    (folder / MANIFEST).write_bytes(encode_json(large))
    return folder


def large_table(setting: Setting, way: str, rows: int = ROWS) -> Table:
    """Memory of one way, on the given split and on a large one."""
    size = sum(info.bytes for info in read_manifest(setting.split).shards)
    size //= read_manifest(setting.split).samples
    with TemporaryDirectory(dir=setting.root) as name:
        split = write_large(setting.split.resolve(), Path(name), rows)
        large = replace(setting, root=Path(name), split=split)
        runs = {
            f"{read_manifest(each.split).samples:,} samples": [
                time_once(each, way) for _ in range(setting.rounds)
            ]
            for each in (setting, large)
        }
    peak = max(each.peak for timed in runs.values() for each in timed) / 1e6
    verdict = "met" if peak < LIMIT else "MISSED"
    title = f"Memory: {way} held {peak:.0f} MB at the most; goal < {LIMIT:g} {verdict}"
    return table(title, runs, (), size)
