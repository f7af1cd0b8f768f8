"""Energon's and wids' files: what is in them, and that equal shards have equal ones."""

import json
import shutil
import sqlite3
import struct

from shards.index.energon import ENERGON
from shards.index.wids import WIDS
from shards.index.write import write_indexes
from shards.load.plain import read_split
from shards.tar import read_members
from shards.verify import verify
from tests.conftest import hash_tree


def test_offsets_of_samples(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted / "refclef", out / "refclef")
    assert write_indexes(out, [ENERGON, WIDS], shards=True) > 10
    tars = sorted(out.rglob("*.tar"))
    for tar in tars:
        data = tar.with_name(f"{tar.name}.idx").read_bytes()
        found = struct.unpack(f"<{len(data) // 8}Q", data)
        starts = [m.offset - 512 for m, _ in read_members(tar) if m.name.endswith(".jpg")]
        assert list(found) == [*starts, tar.stat().st_size - 1024]
    info = json.loads((out / "refclef/.nv-meta/.info.json").read_text())
    assert sum(info["shard_counts"].values()) == sum(1 for _ in read_all(out))
    assert set(info["shard_counts"]) == {str(t.relative_to(out / "refclef")) for t in tars}
    with sqlite3.connect(out / "refclef/.nv-meta/index.sqlite") as database:
        keys = {key for (key,) in database.execute("SELECT sample_key FROM samples")}
        parts = database.execute("SELECT count(*) FROM sample_parts").fetchone()[0]
    database.close()
    assert keys == {sample.key for sample in read_all(out)}
    assert parts == 2 * len(keys)
    assert verify(out) == []
    index = json.loads((out / "refclef/train/shardindex.json").read_text())
    assert [row["nsamples"] for row in index["shardlist"]]


def read_all(out):
    for folder in sorted(path.parent for path in out.rglob("manifest.json")):
        yield from read_split(folder)


def test_equal_shards_have_equal_files(converted, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(converted / "ade20k", tmp_path / name / "ade20k")
        write_indexes(tmp_path / name, [ENERGON, WIDS], shards=True)
    assert hash_tree(tmp_path / "one") == hash_tree(tmp_path / "two")
    assert write_indexes(tmp_path / "one", [ENERGON, WIDS], shards=True) == 0
