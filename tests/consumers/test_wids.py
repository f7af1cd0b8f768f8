"""wids reads every sample by its number, through our index."""

import json
import shutil

import pytest

from shards.index.wids import WIDS
from shards.index.write import write_indexes
from shards.layout import to_members
from shards.load.plain import read_split

pytestmark = pytest.mark.consumers
wids = pytest.importorskip("wids")


def test_every_sample_by_its_number(converted, tmp_path, monkeypatch):
    monkeypatch.setenv("WIDS_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    write_indexes(out, [WIDS], shards=True)
    for folder in sorted(path.parent for path in out.rglob("shardindex.json")):
        index = json.loads((folder / "shardindex.json").read_text())
        dataset = wids.ShardListDataset(
            str(folder / "shardindex.json"),
            cache_dir=str(tmp_path / "cache" / folder.parent.name / folder.name),
            transformations=[lambda sample: sample],
        )
        samples = list(read_split(folder))
        assert len(dataset) == len(samples) == sum(row["nsamples"] for row in index["shardlist"])
        for number, sample in enumerate(samples):
            found = dataset[number]
            assert found["__key__"] == sample.key
            assert found[".jpg"].read() == sample.image.data
            assert found[".mp"].read() == dict(to_members(sample))["mp"]
            if sample.labels:
                assert found[".labels.png"].read() == sample.labels.png
