"""wids reads every sample of the miniature by its index, through our index file."""

import json
import shutil

import numpy as np
import pytest

from convert.demo import DRAWINGS
from shards.index.wids import WIDS
from shards.index.write import write_indexes
from shards.layout import read_split, to_members

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
wids = pytest.importorskip("wids")


@pytest.fixture(scope="module")
def indexed(converted, tmp_path_factory):
    out = tmp_path_factory.mktemp("indexed") / "out"
    shutil.copytree(converted, out)
    splits = len(list(out.glob("*/*/manifest.json")))
    assert write_indexes(out, [WIDS], shards=True) == splits
    return out


@pytest.mark.parametrize("source", DRAWINGS)
def test_every_sample_by_its_index(indexed, source, tmp_path, monkeypatch):
    monkeypatch.setenv("WIDS_CACHE", str(tmp_path))  # it copies shards, and goes on using these
    indexes = sorted(indexed.glob(f"{source}/*/shardindex.json"))
    assert indexes
    for path in indexes:
        samples = list(read_split(path.parent))
        dataset = wids.ShardListDataset(str(path), transformations=[lambda sample: sample])
        assert len(dataset) == len(samples)
        for number in np.random.default_rng(0).permutation(len(samples)):
            found = dataset[int(number)]
            members = {name: part.read() for name, part in found.items() if name.startswith(".")}
            assert found["__key__"] == samples[number].key
            assert members == {f".{name}": part for name, part in to_members(samples[number])}


def test_the_entry_of_each_shard(indexed):
    for path in sorted(indexed.glob("*/*/shardindex.json")):
        shards = json.loads(path.read_text())["shardlist"]
        tars = sorted(path.parent.glob("*.tar"))
        assert [shard["url"] for shard in shards] == [tar.name for tar in tars]
        for shard, tar in zip(shards, tars, strict=True):
            assert shard["md5sum"] == wids.wids.compute_file_md5sum(str(tar))
            assert shard["nsamples"] == wids.wids.compute_num_samples(str(tar))
            assert shard["filesize"] == tar.stat().st_size
