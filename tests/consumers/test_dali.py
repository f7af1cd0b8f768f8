"""NVIDIA DALI, on the CPU, reads every shard through our index; its own tool makes the same one."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shards.layout import to_members
from shards.load.plain import read_split

pytestmark = pytest.mark.consumers
dali = pytest.importorskip("nvidia.dali")


def splits(out):
    folders = sorted(path.parent for path in out.rglob("manifest.json"))
    return [folder for folder in folders if any(folder.glob("*.idx"))]


def test_same_bytes_through_the_index(converted):
    fn = dali.fn
    for folder in splits(converted):
        indexes = sorted(folder.glob("*.idx"))
        tars = [path.with_suffix(".tar") for path in indexes]
        samples = list(read_split(folder))
        pipe = dali.Pipeline(batch_size=1, num_threads=1, device_id=None)
        extensions = ["jpg", *(["labels.png"] if samples[0].labels else []), "mp"]
        with pipe:
            outputs = fn.readers.webdataset(
                paths=list(map(str, tars)), index_paths=list(map(str, indexes)), ext=extensions,
                missing_component_behavior="error", name="reader",
            )  # fmt: skip
            pipe.set_outputs(*outputs)
        pipe.build()
        assert pipe.epoch_size("reader") == len(samples)
        for sample in samples:
            jpg, *labels, mp = (np.asarray(out.as_array()[0]).tobytes() for out in pipe.run())
            assert jpg == sample.image.data
            assert mp == dict(to_members(sample))["mp"]
            assert labels == ([sample.labels.png] if sample.labels else [])


def test_its_own_tool_makes_the_same_index(converted, tmp_path):
    tool = shutil.which("wds2idx", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("no wds2idx beside this Python")
    for folder in splits(converted):
        for index in folder.glob("*.idx"):
            target = tmp_path / index.name
            subprocess.run([tool, index.with_suffix(".tar"), target], check=True, text=True,
                           capture_output=True)  # fmt: skip
            assert target.read_bytes() == index.read_bytes()
