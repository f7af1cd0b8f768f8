"""Reading shards imports no library that only the job needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import shards.writer, shards.layout, shards.index.registry
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {
    "ray",
    "torch",
    "convert",
    "PIL",
    "lmdb",
    "webdataset",
    "pycocotools",
    "yaml",
    "simplejpeg",
}


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    root = str(Path(__file__).parents[3])
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


def test_reading_and_writing_shards_loads_nothing_heavy(loaded) -> None:
    assert {"shards", "msgspec"} <= loaded
    assert not loaded & HEAVY
