"""Energon itself prepares the same index, byte for byte and row for row, of every source."""

import json
import shutil
import sqlite3

import pytest

from shards.index.energon import ENERGON
from shards.index.write import write_indexes

pytestmark = pytest.mark.consumers
prepare = pytest.importorskip("megatron.energon.flavors.webdataset.prepare")
epathlib = pytest.importorskip("megatron.energon.epathlib")


@pytest.fixture(scope="module")
def prepared(converted, tmp_path_factory):
    """(ours, theirs): the same shards, indexed by us and by Energon."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    shutil.copytree(converted, ours, dirs_exist_ok=True)
    write_indexes(ours, [ENERGON], shards=True)
    for meta in sorted(ours.glob("*/.nv-meta/.info.json")):
        source = meta.parent.parent.name
        names = list(json.loads(meta.read_text())["shard_counts"])
        for name in names:
            (theirs / source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(converted / source / name, theirs / source / name)
        prepare.WebdatasetPreparator.prepare_dataset(
            epathlib.EPath(str(theirs / source)),
            names,
            split_parts_patterns=[("train", ".*")],
            workers=1,
        )
    return ours, theirs


def rows(folder, table):
    database = sqlite3.connect(folder / ".nv-meta/index.sqlite")
    try:
        return sorted(database.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608 - ours
    finally:
        database.close()


def schema(folder):
    database = sqlite3.connect(folder / ".nv-meta/index.sqlite")
    try:
        tables = database.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
        columns = [database.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in tables]
    finally:
        database.close()
    return tables, [[(c[1], c[2]) for c in table] for table in columns]


def test_every_source_is_indexed_alike(prepared):
    ours, theirs = prepared
    sources = sorted(path.name for path in theirs.iterdir())
    assert len(sources) == 22
    for source in sources:
        info = json.loads((theirs / source / ".nv-meta/.info.json").read_text())
        found = json.loads((ours / source / ".nv-meta/.info.json").read_text())
        assert found["shard_counts"] == info["shard_counts"]
        assert list(found["shard_counts"]) == list(info["shard_counts"])
        for name in info["shard_counts"]:
            expected = (theirs / source / f"{name}.idx").read_bytes()
            assert (ours / source / f"{name}.idx").read_bytes() == expected, name
        for table in ("samples", "sample_parts"):
            assert rows(ours / source, table) == rows(theirs / source, table)
        assert set(schema(ours / source)[0]) <= set(schema(theirs / source)[0])
