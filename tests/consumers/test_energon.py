"""Energon writes the same index of every source, and loads every sample through ours."""

import json
import shutil
import sqlite3

import pytest

from convert.demo import DRAWINGS
from shards.index.energon import ENERGON
from shards.index.write import write_indexes
from shards.layout import read_split, to_members

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
energon = pytest.importorskip("megatron.energon", minversion="7.4")
prepare = pytest.importorskip("megatron.energon.flavors.webdataset.prepare")
empty = pytest.importorskip("megatron.energon.flavors.webdataset.empty_dataset_error")

PARTS = {"train": "train", "val": "val", "test": "test*"}
"""Energon's name -> our splits."""


@energon.stateless
def as_it_is(sample):
    return sample


def raw():
    encoder = energon.DefaultTaskEncoder()
    encoder.cookers, encoder.decoder = [energon.Cooker(as_it_is)], None
    return encoder


@pytest.fixture(scope="module")
def indexed(converted, tmp_path_factory):
    out = tmp_path_factory.mktemp("indexed") / "out"
    shutil.copytree(converted, out)
    write_indexes(out, [ENERGON], shards=True)
    return out


def prepared(indexed, source, folder):
    """The same shards, indexed by Energon."""
    names = list(json.loads((indexed / source / ".nv-meta/.info.json").read_text())["shard_counts"])
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(indexed / source / name, folder / name)
    assert names == [str(path.relative_to(folder)) for path in sorted(folder.glob("*/*.tar"))]
    prepare.WebdatasetPreparator.prepare_dataset(
        energon.epathlib.EPath(str(folder)),
        names,
        split_parts_patterns=[("train", ".*")],
        workers=1,
    )
    return names


def content(folder):
    """Name -> columns and rows of every table and index."""
    database = sqlite3.connect(folder / ".nv-meta/index.sqlite")
    try:
        found = {}
        for name, kind in database.execute("SELECT name, type FROM sqlite_master").fetchall():
            pragma = f"PRAGMA {kind}_info({name})"
            rows = kind == "table" and database.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
            found[name] = database.execute(pragma).fetchall(), rows
    finally:
        database.close()
    return found


@pytest.mark.parametrize("source", DRAWINGS)
def test_it_writes_the_same_index(indexed, tmp_path, source):
    for name in [".nv-meta/.info.json", *(f"{n}.idx" for n in prepared(indexed, source, tmp_path))]:
        assert (indexed / source / name).read_bytes() == (tmp_path / name).read_bytes(), name
    ours, theirs = content(indexed / source), content(tmp_path)
    assert len(ours) == 6  # two tables, three indices, and that of the keys
    assert ours == theirs


def load(folder, part):
    dataset = energon.get_val_dataset(
        str(folder),
        split_part=part,
        worker_config=energon.WorkerConfig.default_worker_config(num_workers=0),
        batch_size=None,
        task_encoder=raw(),
    )
    for sample in energon.get_loader(dataset):
        yield sample["__key__"], {n: part for n, part in sample.items() if not n.startswith("__")}


def stored(folder, part):
    for path in sorted(folder.glob(f"{PARTS[part]}/manifest.json")):
        for sample in read_split(path.parent):
            yield sample.key, dict(to_members(sample))


@pytest.mark.parametrize("source", DRAWINGS)
def test_same_keys_and_same_bytes(indexed, source):
    for part in PARTS:
        expected = list(stored(indexed / source, part))
        if expected:
            assert list(load(indexed / source, part)) == expected
        else:  # which `energon lint` skips; a part that is not listed ends it
            with pytest.raises(empty.EmptyDatasetError):
                list(load(indexed / source, part))
    assert any(stored(indexed / source, "train"))


def test_without_the_database(indexed, tmp_path):
    """The index without its database, which Energon's own command adds."""
    shutil.copytree(indexed / "refcoco", tmp_path / "refcoco")
    folder = tmp_path / "refcoco"
    before = content(folder)
    (folder / ".nv-meta/index.sqlite").unlink()
    assert list(load(folder, "train")) == list(stored(folder, "train"))
    names = list(json.loads((folder / ".nv-meta/.info.json").read_text())["shard_counts"])
    prepare.WebdatasetPreparator.prepare_dataset(
        energon.epathlib.EPath(str(folder)),
        names,
        split_parts_patterns=[],
        workers=1,
        tar_index_only=True,
    )
    assert content(folder) == before
