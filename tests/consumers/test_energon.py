"""Energon itself prepares the same index, byte for byte and row for row, of every source."""

import json
import shutil
import sqlite3
from typing import Any

import pytest

from shards.index.energon import ENERGON
from shards.index.write import write_indexes
from shards.layout import to_members
from shards.load.plain import read_shard

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


@pytest.mark.filterwarnings("ignore")  # of torch's and Energon's own: no accelerator, no fork
def test_its_loader_reads_every_sample(prepared):
    """Undecoded, of every source and split: the same keys and the same bytes."""
    energon: Any = pytest.importorskip("megatron.energon")
    ours, _ = prepared
    seen: dict[str, tuple[bytes, bytes]] = {}

    @energon.stateless
    def cook(sample):
        seen[sample["__key__"].rpartition("/")[2]] = (sample["jpg"], sample["mp"])
        return energon.CaptioningSample(**energon.basic_sample_keys(sample), image=None, caption="")

    class Encoder(energon.DefaultTaskEncoder):  # type: ignore[misc]  # untyped
        decoder = None
        cookers = [energon.Cooker(cook)]  # noqa: RUF012 - as Energon has it

    workers = energon.WorkerConfig.default_worker_config(num_workers=0)
    expected: dict[str, tuple[bytes, bytes]] = {}
    for meta in sorted(ours.glob("*/.nv-meta")):
        parts = json.loads((meta / ".info.json").read_text())["shard_counts"]
        groups = {name.partition("/")[0] for name in parts}
        for part in {g if g in {"train", "val"} else "test" for g in groups}:
            dataset = energon.get_val_dataset(
                str(meta.parent), split_part=part, worker_config=workers, batch_size=None,
                task_encoder=Encoder(),
            )  # fmt: skip
            for _ in energon.get_loader(dataset):
                pass
        for name in parts:
            for sample in read_shard(meta.parent / name):
                expected[sample.key] = (sample.image.data, dict(to_members(sample))["mp"])
    assert seen == expected
