"""Fixtures and functions of several test modules: the miniature, converted shards, comparisons."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from convert.demo import DRAWINGS, Truth, draw
from convert.run import run

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"


@dataclass(frozen=True)
class Miniature:
    """A drawn data root and its expected samples."""

    root: Path
    truths: dict[str, Truth]


@pytest.fixture(scope="session")
def draw_miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Miniature]:
    """A function that draws every source, once per session and set of arguments."""
    drawn: dict[tuple[object, ...], Miniature] = {}

    def make(images: int = 8, *, with_defects: bool = False, seed: int = 0) -> Miniature:
        key = (images, with_defects, seed)
        if key not in drawn:
            root = tmp_path_factory.mktemp("miniature")
            truths = {
                name: draw(root, name, images=images, seed=seed, with_defects=with_defects)
                for name in DRAWINGS
            }
            drawn[key] = Miniature(root, truths)
        return drawn[key]

    return make


@pytest.fixture(scope="session")
def miniature(draw_miniature: Callable[..., Miniature]) -> Miniature:
    return draw_miniature()


@pytest.fixture(scope="session")
def defective(draw_miniature: Callable[..., Miniature]) -> Miniature:
    return draw_miniature(2, with_defects=True)  # the other miniature has more clean photos


@pytest.fixture(scope="session")
def small_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped config, but with three photos a shard."""
    return write_config(tmp_path_factory.mktemp("config"), items_per_shard=3)


def write_config(folder: Path, *, items_per_shard: int) -> Path:
    text = (REPOSITORY / "configs" / "glamm.yaml").read_text()
    before = "items_per_shard: 1000"
    assert before in text
    path = folder / "glamm.yaml"
    path.write_text(text.replace(before, f"items_per_shard: {items_per_shard}"))
    tables = folder / "classes"
    if not tables.exists():
        tables.symlink_to(REPOSITORY / "configs" / "classes")
    return path


@pytest.fixture(scope="session")
def converted(
    miniature: Miniature, small_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The shards of the miniature. Tests must not change them."""
    out = tmp_path_factory.mktemp("shards")
    assert run(all_=True, workers=0, root=miniature.root, out=out, config=small_shards) == 0
    return out


@pytest.fixture(scope="session")
def converted_defective(
    defective: Miniature, small_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("shards-defective")
    code = run(
        all_=True, workers=0, root=defective.root, out=out, config=small_shards, max_rejected=1.0
    )
    assert code == 0
    return out


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"real photos and checks are not part of the repository: no {SHARED.name}/")
    return SHARED


def hash_tree(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stamp_tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Relative path -> inode, size and time of change of each file and folder, to detect writes."""
    return {
        str(path.relative_to(folder)): _stamp(path) for path in sorted([folder, *folder.rglob("*")])
    }


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_ctime_ns


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if a consumer test is skipped although all consumers should be installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    found = reporter.stats.get("skipped", []) if reporter else []
    # These tests need a program of the machine, or the reference code.
    elsewhere = ("bsdtar", "GLAMM_REFERENCE", "make bench-loader")
    skipped = [r for r in found if not any(name in str(r.longrepr) for name in elsewhere)]
    if os.environ.get("GLAMM_CONSUMERS") == "all" and skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
