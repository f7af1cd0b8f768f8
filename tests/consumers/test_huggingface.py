"""Hugging Face `datasets` reads every config of the output, streamed and whole."""

import shutil

import msgpack
import pytest

from convert.demo import DRAWINGS
from shards.index.huggingface import HUGGING_FACE
from shards.index.write import write_indexes
from shards.tar import read_members

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
datasets = pytest.importorskip("datasets", minversion="4.7")


@pytest.fixture(scope="module")
def published(converted, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "out"
    shutil.copytree(converted, out)
    (out / "README.md").unlink()
    assert write_indexes(out, [HUGGING_FACE], shards=True) == 1
    return out


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    datasets.disable_progress_bars()
    return tmp_path_factory.mktemp("cache")


def stored(folder):
    """Every member of a split in stored order; annotations decoded by msgpack, photos as bytes."""
    return [
        (member.name, msgpack.unpackb(content) if member.name.endswith(".mp") else content)
        for tar in sorted(folder.glob("*.tar"))
        for member, content in read_members(tar)
    ]


def received(dataset):
    for name, feature in dataset.features.items():
        if isinstance(feature, datasets.Image):
            dataset = dataset.cast_column(name, datasets.Image(decode=False))
    for row in dataset:
        for name in row.keys() - {"mp", "__key__", "__url__"}:
            assert row[name]["path"].endswith(f".{name}")
        for name, value in row.items():
            if not name.startswith("__"):
                yield f"{row['__key__']}.{name}", value if name == "mp" else value["bytes"]


def test_one_config_per_source(published):
    assert datasets.get_dataset_config_names(str(published)) == sorted(DRAWINGS)


@pytest.mark.parametrize("source", DRAWINGS)
def test_same_keys_and_same_bytes(published, cache, source):
    splits = sorted(path.parent.name for path in published.glob(f"{source}/*/manifest.json"))
    streamed = datasets.load_dataset(str(published), source, streaming=True)
    whole = datasets.load_dataset(str(published), source, cache_dir=str(cache))
    assert sorted(streamed) == sorted(whole) == splits
    for split in splits:
        expected = stored(published / source / split)
        assert expected
        assert list(received(streamed[split])) == expected
        assert list(received(whole[split])) == expected
        assert streamed[split].num_shards == len(list((published / source / split).glob("*.tar")))


def test_photos_and_label_maps_are_decoded(published):
    rows = datasets.load_dataset(str(published), "ade20k", split="train", streaming=True)
    for row in rows:
        assert (row["jpg"].mode, row["labels.png"].mode) == ("RGB", "L")
        assert list(row["jpg"].size[::-1]) == row["mp"]["size"]
