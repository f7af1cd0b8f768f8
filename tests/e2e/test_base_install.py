"""The base install, which has none of the extras: reading, writing and the commands of shards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shards.index.huggingface import HUGGING_FACE
from shards.index.write import write_indexes

REPOSITORY = Path(__file__).parents[2]
BLOCKER = """
import sys

class Blocker:
    allowed = {*sys.stdlib_module_names, "shards", "numpy", "msgspec", "pyarrow", "xxhash"}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in self.allowed | {ALSO} and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
"""Installed as sitecustomize: also in the processes that a command starts."""


@pytest.fixture
def base(tmp_path):
    """Runs Python with the libraries of the base install, and those named."""

    def run(*arguments: object, also: str = "") -> subprocess.CompletedProcess[str]:
        folder = tmp_path / f"site-{also}"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(BLOCKER.replace("ALSO", repr(also)))
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def out(converted, tmp_path):
    shutil.copytree(converted / "ade20k", tmp_path / "out" / "ade20k")
    write_indexes(tmp_path / "out", [HUGGING_FACE], shards=False)  # of this source alone
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["verify", "index", "view"])
def test_help(base, name) -> None:
    done = base("-m", f"shards.{name}", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m shards.{name} ")
    assert "Exit status: 0" in done.stdout
    assert base("-m", f"shards.{name}", "--no-such-option").returncode == 2


def test_verify(base, out) -> None:
    done = base("-m", "shards.verify", out, "--workers", "2")
    assert (done.returncode, done.stdout) == (0, "nothing is wrong\n")
    wrong = base("-m", "shards.verify", out, "--workers", "0")
    assert wrong.returncode == 2
    assert "--workers: expected at least 1, found 0" in wrong.stderr


def test_verify_deep_names_the_extra(base, out) -> None:
    done = base("-m", "shards.verify", out, "--deep")
    line = "verify: decoding photos and label maps needs Pillow: pip install 'glamm-shards[view]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    done = base("-m", "shards.verify", out, "--deep", also="PIL")
    assert (done.returncode, done.stdout) == (0, "nothing is wrong\n")


def test_index(base, out) -> None:
    shutil.rmtree(out / "ade20k/val")
    for path in out.rglob("*.idx"):
        path.unlink()
    done = base("-m", "shards.index", out, "--format", "dali")
    assert (done.returncode, done.stdout) == (0, "")
    written = sorted(out.rglob("*.idx"))
    assert done.stderr == f"{len(written)} files written\n"
    assert written


def test_view_names_the_extra(base, out, tmp_path) -> None:
    done = base("-m", "shards.view", out / "ade20k/train")
    line = "view: drawing samples needs Pillow: pip install 'glamm-shards[view]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    done = base("-m", "shards.view", out / "ade20k/train", "--n", 2, also="PIL")
    assert (done.returncode, done.stdout) == (0, "sheet.png: 2 samples\n")
    assert (tmp_path / "sheet.png").is_file()


def test_the_public_names(base) -> None:
    code = "import pydoc, shards; from shards import *; print(len(pydoc.render_doc(shards)) > 1000)"
    assert base("-c", code).stdout == "True\n"


def test_samples_are_read_and_written(base, out, tmp_path) -> None:
    code = f"""
from pathlib import Path
from shards import SampleIndex, ShardWriter, Tally, paint_masks, read_split
samples = list(read_split(Path({str(out)!r}, "ade20k/train")))
with SampleIndex(Path({str(out)!r}, "ade20k/train")) as index:
    assert index[1] == samples[1]
with ShardWriter(Path({str(tmp_path)!r}, "copy"), "copy-000000") as writer:
    writer.add(samples[0])
    writer.commit(task="", tally=Tally(items=1))
print(len(samples))
"""
    done = base("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 1
