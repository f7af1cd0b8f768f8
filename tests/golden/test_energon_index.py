"""Energon's files, character by character, and its database, row by row."""

import json
import shutil
import sqlite3
import struct
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from shards.errors import CorruptShardError
from shards.index import Listing, energon_database
from shards.index.energon import ENERGON, shard_files, source_files
from shards.index.huggingface import HUGGING_FACE
from shards.index.samples import SCHEMA
from shards.index.write import write_indexes
from shards.layout import read_shard
from shards.manifest import ShardInfo, Tally, build_manifest
from shards.tar import END, Entry, Member, read_members
from shards.verify import verify_output
from tests.conftest import hash_tree

INFO = b"""\
{
  "energon_version": "7.4.1",
  "shard_counts": {
    "testB/sa-testB-000000.tar": 1,
    "train/sa-train-000000.tar": 2,
    "train/sa-train-000002.tar": 1
  }
}"""
INDEX = ".nv-meta/index.sqlite"
SPLITS = b"""\
exclude: []
split_parts:
  train:
  - train/sa-train-000000.tar
  - train/sa-train-000002.tar
  val: []
  test:
  - testB/sa-testB-000000.tar
"""


def listing(split, *samples, plan="", labels=0):
    infos = [
        ShardInfo(f"sa-{split}-{n:06}", count, 10240, f"{n:064x}", "", Tally())
        for n, count in enumerate(samples)
    ]
    rows = [
        {"key": f"sa-{split}{n}-{m}", "offset": 4096 * m, "size": 4096, "checksum": 0,
         "image": "jpg", "image_offset": 4096 * m + 512, "image_size": 900,
         "labels_offset": 4096 * m + 2048, "labels_size": labels,
         "annotations_offset": 4096 * m + 3072, "annotations_size": 7}
        for n, count in enumerate(samples) for m in range(count)
    ]  # fmt: skip
    manifest = build_manifest("sa", split, plan, {}, infos)
    return Listing(Path("nowhere"), manifest, pa.Table.from_pylist(rows, SCHEMA), {})


SOURCE = {"testB": listing("testB", 1, labels=4), "train": listing("train", 2, 0, 1)}


def contents_of(splits, folder):
    """Name -> content of the files of a source."""
    files = dict(source_files(splits))
    path = folder / "index.sqlite"
    path.unlink(missing_ok=True)
    write = files[INDEX]
    assert callable(write)
    write(path)
    return {**files, INDEX: path.read_bytes()}


def rows_of(index, table):
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(index)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - ours
    finally:
        database.close()


def test_a_shard():
    entries = [
        Entry("sa_10039", 0, 394752, 1, (Member("sa_10039.jpg", 512, 390595),)),
        Entry("sa_1309", 394752, 826880, 2, (Member("sa_1309.jpg", 395264, 826000),)),
    ]
    assert shard_files("sa-train-000000", entries) == {
        "sa-train-000000.tar.idx": struct.pack("<3Q", 0, 394752, 1221632)
    }
    assert shard_files("sa-train-000001", []) == {}


def test_a_source(tmp_path):
    files = contents_of(SOURCE, tmp_path)
    index = files.pop(INDEX)
    assert files == {
        ".nv-meta/.info.json": INFO,
        ".nv-meta/split.yaml": SPLITS,
        ".nv-meta/dataset.yaml": b"__module__: megatron.energon\n__class__: CrudeWebdataset\n",
        ".nv-meta/index.uuid": b"92e8e6b5-3c37-5d78-95c2-4b593168e987",
    }
    assert rows_of(index, "samples") == [
        (0, "sa-testB0-0", 0, 0, 4096),
        (1, "sa-train0-0", 0, 0, 4096),
        (1, "sa-train0-1", 1, 4096, 4096),
        (2, "sa-train2-0", 0, 0, 4096),
    ]
    assert [row[1] for row in rows_of(index, "sqlite_master")] == [
        "samples", "sqlite_autoindex_samples_1", "sample_parts",
        "idx_samples_by_tar_and_idx", "idx_sample_parts_seq", "idx_sample_parts_full",
    ]  # fmt: skip
    assert rows_of(index, "sample_parts")[:5] == [
        (0, 0, "jpg", 512, 900),
        (0, 0, "labels.png", 2048, 4),
        (0, 0, "mp", 3072, 7),
        (1, 0, "jpg", 512, 900),
        (1, 0, "mp", 3072, 7),
    ]


def test_every_split_is_in_a_group(tmp_path):
    names = ("test", "testA", "testC", "train", "val", "val_seen")
    files = contents_of({name: listing(name, 1) for name in names}, tmp_path)
    assert files[".nv-meta/split.yaml"].decode().splitlines()[2:] == [
        "  train:", "  - train/sa-train-000000.tar",
        "  val:", "  - val/sa-val-000000.tar", "  - val_seen/sa-val_seen-000000.tar",
        "  test:", "  - test/sa-test-000000.tar", "  - testA/sa-testA-000000.tar",
        "  - testC/sa-testC-000000.tar",
    ]  # fmt: skip


def test_the_same_shards_give_the_same_bytes(tmp_path):
    replanned = {**SOURCE, "train": listing("train", 2, 0, 1, plan="another")}
    files = contents_of(SOURCE, tmp_path)
    assert contents_of(replanned, tmp_path) == files
    index = files[INDEX]
    assert index[16:18] == b"\x10\0"  # pages of 4096 bytes
    assert index[92:100] == bytes(8)  # nor is there a version of SQLite in its header


def test_other_shards_have_another_uuid():
    first = SOURCE["train"]
    [one, *others] = first.manifest.shards
    changed = msgspec.structs.replace(
        first.manifest, shards=(msgspec.structs.replace(one, sha256="f" * 64), *others)
    )
    other = {**SOURCE, "train": Listing(first.folder, changed, first.rows, {})}
    name = ".nv-meta/index.uuid"
    assert source_files(other)[name] != source_files(SOURCE)[name]


def many(shards, samples):
    """Shards of a source whose keys are not sorted."""
    for tar in range(shards):
        keys = [f"sa-{(tar * samples + n) * 7919 % 1_000_003:012}" for n in range(samples)]
        yield [
            Entry(key, 4096 * n, 4096, 0, (Member(f"{key}.jpg", 4096 * n + 512, 900),))
            for n, key in enumerate(keys)
        ]


def test_less_memory_gives_the_same_bytes(monkeypatch, tmp_path):
    """Rows that do not fit into memory are sorted in files."""
    rows = partial(many, 30, 1000)
    energon_database.write_database(rows, tmp_path / "much.sqlite")
    monkeypatch.setattr(energon_database, "_MEBIBYTES", 0.1)
    energon_database.write_database(rows, tmp_path / "little.sqlite")
    much = (tmp_path / "much.sqlite").read_bytes()
    assert len(much) > 2_000_000
    assert (tmp_path / "little.sqlite").read_bytes() == much
    assert len(rows_of(much, "samples")) == 30_000


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match=r"index\.sqlite: unable to open database file"):
        energon_database.write_database(partial(many, 1, 1), tmp_path / "none/index.sqlite")


def test_a_duplicate_key(tmp_path):
    train = listing("train", 1)
    again = {
        "train": train,
        "val": Listing(train.folder, listing("val", 1).manifest, train.rows, {}),
    }
    with pytest.raises(CorruptShardError, match=r"index\.sqlite: a key occurs more than once"):
        contents_of(again, tmp_path)


def test_no_file_without_samples():
    assert source_files({}) == source_files({"train": listing("train", 0)}) == {}


def test_of_the_miniature(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted / "refclef", out / "refclef")
    assert write_indexes(out, [ENERGON, HUGGING_FACE], shards=True)
    tars = sorted(out.rglob("*.tar"))
    for tar in tars:
        found = tar.with_name(f"{tar.name}.idx").read_bytes()
        starts = [m.offset - 512 for m, _ in read_members(tar) if m.name.endswith(".jpg")]
        end = tar.stat().st_size - len(END)
        assert found == struct.pack(f"<{len(starts) + 1}Q", *starts, end)
    folder = out / "refclef"
    counts = json.loads((folder / ".nv-meta/.info.json").read_text())["shard_counts"]
    assert list(counts) == [str(tar.relative_to(folder)) for tar in tars]
    stored = [(sample.key,) for tar in tars for sample in read_shard(tar)]
    index = (folder / ".nv-meta/index.sqlite").read_bytes()
    assert [row[1:2] for row in rows_of(index, "samples")] == stored
    assert sum(counts.values()) == len(stored)
    assert verify_output(out) == []
    before = hash_tree(out)
    assert write_indexes(out, [ENERGON], shards=True) == 0
    assert hash_tree(out) == before
