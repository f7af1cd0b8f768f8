"""NVIDIA DALI, on the CPU, reads all shards through our index; its own tool writes the same one."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convert.demo import DRAWINGS
from shards.layout import read_split, to_members

pytestmark = pytest.mark.consumers
dali = pytest.importorskip("nvidia.dali")


def splits(out):
    folders = sorted(path.parent for path in out.rglob("manifest.json"))
    return [folder for folder in folders if any(folder.glob("*.idx"))]


def read(folder, extensions):
    """The components of every sample, in order."""
    indexes = sorted(folder.glob("*.idx"))
    pipe = dali.Pipeline(batch_size=1, num_threads=1, device_id=None)
    with pipe:
        outputs = dali.fn.readers.webdataset(
            paths=[str(path.with_suffix(".tar")) for path in indexes],
            index_paths=list(map(str, indexes)), ext=extensions,
            missing_component_behavior="error", name="reader",
        )  # fmt: skip
        pipe.set_outputs(*outputs)
    pipe.build()
    for _ in range(pipe.epoch_size("reader")):
        outputs = pipe.run()
        # DALI knows no keys: it says where a component comes from, "<tar>:<offset>:<member>".
        names = [out[0].source_info().rpartition(":")[2] for out in outputs]
        yield names, [np.asarray(out.as_array()[0]).tobytes() for out in outputs]


def test_same_keys_and_same_bytes_through_the_index(converted):
    folders = splits(converted)
    assert {folder.parent.name for folder in folders} == set(DRAWINGS)
    for folder in folders:
        samples = [(sample.key, to_members(sample)) for sample in read_split(folder)]
        extensions = [extension for extension, _ in samples[0][1]]
        assert list(read(folder, extensions)) == [
            ([f"{key}.{extension}" for extension in extensions], [data for _, data in members])
            for key, members in samples
        ]


def test_its_own_tool_writes_the_same_index(converted, tmp_path):
    tool = shutil.which("wds2idx", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("no wds2idx beside this Python")
    for folder in splits(converted):
        for index in folder.glob("*.idx"):
            target = tmp_path / index.name
            subprocess.run([tool, index.with_suffix(".tar"), target], check=True, text=True,
                           capture_output=True)  # fmt: skip
            assert target.read_bytes() == index.read_bytes()
