"""A missing library is one line that names the extra to install; it is never skipped as damage."""

import subprocess
import sys

import pytest

from shards.errors import MissingExtraError
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.load.mixture import Mixture
from tests.conftest import REPOSITORY
from tests.loading import write_split


@pytest.mark.parametrize("module", ["torch", "torch.loader", "torch.dataset", "webdataset"])
def test_without_torch(module):
    program = f"import sys; sys.modules['torch'] = None; import shards.load.{module}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "shards.errors.MissingExtraError: shards.load.torch needs torch ("
    )
    assert done.stderr.endswith("): pip install 'glamm-shards[torch]'\n")


def test_a_program_may_catch_it_as_an_import_error(monkeypatch):
    """As pytest.importorskip does."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "shards.load.torch", raising=False)
    with pytest.raises(ImportError, match=r"glamm-shards\[torch\]"):
        import shards.load.torch  # noqa: F401 - the import is the test


@pytest.mark.parametrize("threads", [0, 2])
def test_photos_without_simplejpeg_and_pillow(tmp_path, monkeypatch, threads):
    folder = write_split(tmp_path, [4])
    for name in ("simplejpeg", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    loader = Loader(folder, 2, options=LoaderOptions(threads=threads, skip=99))
    with pytest.raises(
        MissingExtraError, match=r"needs Pillow: pip install 'glamm-shards\[load\]'"
    ):
        next(iter(loader))
    assert loader.skipped == 0


def test_a_mixture_file_without_pyyaml(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"^finetune: .*pyyaml: .*'glamm-shards\[load\]'"):
        Mixture.read("finetune", tmp_path)
