"""Every recipe in docs/consumers.md runs as it stands, and shows every sample of a split."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

from shards.index.registry import INDEX_FORMATS
from shards.index.write import write_indexes
from shards.layout import read_split
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.consumers

MODULES = {
    "webdataset": ("webdataset",),
    "torch DataLoader": ("torch", "webdataset"),
    "DALI": ("nvidia.dali", "nvidia.nvimgcodec"),
    "Energon": ("megatron.energon",),
    "wids": ("wids",),
    "Hugging Face datasets": ("datasets",),
    "Ray Data": ("ray", "pandas"),
    "Croissant": ("mlcroissant",),
    "tar": (),
}
"""Heading -> what must be installed."""

TEXT = (REPOSITORY / "docs/consumers.md").read_text()
INTRODUCTION, *SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
RECIPES = {section.partition("\n")[0]: section for section in SECTIONS}


def block(section):
    [(language, code)] = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    return language, code


def wanted(section):
    """The index format that a section names."""
    found = re.search(r"Index `(\w+)`", section)
    return found[1] if found else None


@pytest.fixture(scope="module")
def indexed(converted, tmp_path_factory):
    """The miniature with the files of every format there is."""
    out = tmp_path_factory.mktemp("indexed") / "out"
    shutil.copytree(converted, out)
    write_indexes(out, list(INDEX_FORMATS.values()), shards=True)
    return out


def installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_there_is_a_recipe_for_each():
    assert set(RECIPES) == set(MODULES)
    for section in SECTIONS:
        assert wanted(section) or "No index." in section


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.ray if n == "Ray Data" else ()) for n in MODULES]
)
def test_recipe(indexed, tmp_path, name):
    format_ = wanted(RECIPES[name])
    if format_ and format_ not in INDEX_FORMATS:
        pytest.skip(f"no index format {format_}")
    for module in MODULES[name]:
        if not installed(module):
            pytest.skip(f"{module} is not installed")
    language, code = block(RECIPES[name])
    code = code.replace("SHARDS", str(indexed))
    start = [sys.executable, "-W", "ignore", "-c"] if language == "python" else ["sh", "-ec"]
    caches = {name: str(tmp_path) for name in ("CROISSANT_CACHE", "HF_HOME", "WIDS_CACHE")}
    done = subprocess.run(
        [*start, code], cwd=tmp_path, env={**os.environ, **caches}, text=True,
        capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    samples = list(read_split(indexed / "refcoco/train"))
    assert len(samples) > 1
    missed = [s for s in samples if s.key not in done.stdout and s.file not in done.stdout]
    assert not missed


def test_the_command_of_the_introduction(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(converted, out)
    language, code = block(INTRODUCTION)
    assert language == "sh"
    command = code.replace("SHARDS", str(out)).replace("python", sys.executable)
    subprocess.run(["sh", "-ec", command], cwd=REPOSITORY, check=True, capture_output=True)
    assert (out / "README.md").is_file()
    assert (out / "refcoco/croissant.json").is_file()
