"""Every block of docs/loading.md runs as it stands, and shows every sample of a split."""

import os
import re
import subprocess
import sys

import pytest

from shards.load.plain import read_split
from tests.conftest import REPOSITORY

pytest.importorskip("torch")
pytestmark = pytest.mark.consumers

SECTIONS = re.split(r"^## ", (REPOSITORY / "docs/loading.md").read_text(), flags=re.MULTILINE)
BLOCKS = [
    (section.partition("\n")[0], code)
    for section in SECTIONS
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
]


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[name for name, _ in BLOCKS])
def test_recipe(converted, tmp_path, number):
    code = BLOCKS[number][1].replace("SHARDS", str(converted))
    if "webdataset" in code:
        pytest.importorskip("webdataset")
    # A worker process finds functions by the file that they are in.
    program = tmp_path / "recipe.py"
    program.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program], cwd=tmp_path, text=True, check=False,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    samples = list(read_split(converted / "refcoco/train"))
    missed = [each.key for each in samples if each.key not in done.stdout]
    assert len(missed) <= len(samples) // 2  # what fills no batch is left over


def test_there_are_recipes():
    assert len(BLOCKS) >= 7
