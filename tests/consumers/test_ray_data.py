"""Ray Data reads the whole output."""

import logging

import msgpack
import numpy as np
import pytest

from shards.tar import read_members, split_name

pytestmark = [pytest.mark.consumers, pytest.mark.ray, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("pandas", reason="ray[data] needs it")


@pytest.fixture(scope="module")
def ray_data():
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        object_store_memory=200 * 2**20,
    )
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray.data
    ray.shutdown()


def stored(out):
    """Key -> extension -> content."""
    samples: dict[str, dict[str, bytes]] = {}
    for tar in sorted(out.rglob("*.tar")):
        for member, content in read_members(tar):
            key, extension = split_name(member.name)
            samples.setdefault(key, {})[extension] = content
    return samples


def received(row):
    """A row's members. What only samples of other sources have is NaN: pandas put them together."""
    return {k: v for k, v in row.items() if not k.startswith("__") and isinstance(v, bytes)}


def test_same_keys_and_same_bytes(converted, ray_data):
    rows = ray_data.read_webdataset(
        str(converted), decoder=None, file_extensions=["tar"]
    ).take_all()
    expected = stored(converted)
    assert len(rows) == len(expected)
    assert {row["__key__"]: received(row) for row in rows} == expected


def test_default_decoders(converted, ray_data):
    expected = stored(converted / "ade20k")
    rows = ray_data.read_webdataset(str(converted / "ade20k"), file_extensions=["tar"]).take_all()
    assert {row["__key__"] for row in rows} == expected.keys()
    for row in rows:
        annotations = msgpack.unpackb(expected[row["__key__"]]["mp"])
        assert row["mp"]["label_classes"] == annotations["label_classes"]
        assert list(row["jpg"].shape) == [*annotations["size"], 3]
        classes = np.unique(row["labels.png"])
        assert sorted({*classes.tolist()} - {255}) == annotations["label_classes"]
