"""Every block of docs/loading.md and docs/remote.md runs, and shows every sample of a split."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shards.layout import read_split
from tests.conftest import REPOSITORY
from tests.unit.shards.load.storage.test_remote_server import serve

pytest.importorskip("torch")
pytestmark = pytest.mark.consumers

HOST = "https://data.example.org"


def blocks(file: str) -> list[tuple[str, str]]:
    """(heading, code) of each."""
    sections = re.split(r"^## ", (REPOSITORY / file).read_text(), flags=re.MULTILINE)
    return [
        (section.partition("\n")[0], code)
        for section in sections
        for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    ]


BLOCKS, REMOTE_BLOCKS = blocks("docs/loading.md"), blocks("docs/remote.md")


def run(code: str, folder: Path, split: Path) -> None:
    # A worker process finds functions by the file that they are in.
    program = folder / "recipe.py"
    program.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program], cwd=folder, text=True, check=False,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    samples = list(read_split(split))
    missed = [each.key for each in samples if each.key not in done.stdout]
    assert len(missed) <= len(samples) // 2  # what fills no batch is left over


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[name for name, _ in BLOCKS])
def test_recipe(converted, tmp_path, number):
    code = BLOCKS[number][1].replace("SHARDS", str(converted))
    if "webdataset" in code:
        pytest.importorskip("webdataset")
    run(code, tmp_path, converted / "refcoco/train")


@pytest.mark.parametrize(
    "number", range(len(REMOTE_BLOCKS)), ids=[name.splitlines()[0] for name, _ in REMOTE_BLOCKS]
)
def test_remote_recipe(converted, tmp_path, number):
    pytest.importorskip("obstore")
    with serve(converted) as server:
        code = REMOTE_BLOCKS[number][1].replace(HOST, server.url)
        run(code, tmp_path, converted / "refcoco/train")
        assert server.count()["samples.arrow"] > 0


def test_there_are_recipes():
    assert len(BLOCKS) >= 7
    assert len(REMOTE_BLOCKS) >= 3
