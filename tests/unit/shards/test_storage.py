"""Atomic writes, locks on folders, and removing leftover temporary files."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shards.storage import exclusive, publish, sweep, temporary_name, write_if_changed, write_whole
from tests.conftest import stamp_tree

HOLD = """
import sys
from pathlib import Path
from shards.storage import exclusive
with exclusive(Path(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


def test_the_same_content_is_not_written_again(tmp_path) -> None:
    path = tmp_path / "new" / "x"
    assert write_if_changed(path, b"1")
    before = stamp_tree(tmp_path)
    assert not write_if_changed(path, b"1")
    assert stamp_tree(tmp_path) == before
    assert write_if_changed(path, b"2")
    assert [p.name for p in path.parent.iterdir()] == ["x"]
    assert path.read_bytes() == b"2"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step) -> None:
    path = tmp_path / "x"
    write_whole(path, b"old")
    before = stamp_tree(tmp_path)[path.name]

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"new")
    assert stamp_tree(tmp_path)[path.name] == before
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_temporary_names_tell_writers_apart(tmp_path) -> None:
    found = temporary_name(tmp_path / "x.tar")
    assert found.parent == tmp_path
    assert found.name.startswith(".x.tar.")
    assert found.name.endswith(f"-{os.getpid()}.tmp")


def test_publishing_replaces(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    publish(tmp_path / "a", tmp_path / "b")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("b", b"new")]


def test_a_second_process_gets_no_lock(tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", HOLD, tmp_path]
    with exclusive(tmp_path) as held:
        assert held
        with exclusive(tmp_path) as again:
            assert not again
        second = subprocess.run(
            command, env=environment, input="", capture_output=True, text=True, check=True
        )
        assert second.stdout == "False\n"
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with exclusive(tmp_path) as held:
            assert not held
        other.kill()  # and the kernel lets go
        other.wait()
        with exclusive(tmp_path) as held:
            assert held
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_counts_as_locked(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with exclusive(tmp_path) as held:
        assert held


def test_other_errors_of_locking_are_raised(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="broken"), exclusive(tmp_path):
        pass


def test_sweeping_deletes_only_temporary_files_of_splits(tmp_path) -> None:
    ours = [temporary_name(tmp_path / "a" / "b" / name) for name in ("x.tar", "manifest.json")]
    theirs = [
        "a/b/x.tar", "a/b/x.tmp", "a/b/.hidden", "a/b/c/.deeper.tmp", "x.tmp", ".other.tmp",
        "a/.b.tmp.not",
    ]  # fmt: skip
    for path in [*ours, *(tmp_path / name for name in theirs)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "a" / "b" / ".folder.tmp").mkdir()
    assert sweep(tmp_path) == len(ours)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(theirs)
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path / "absent") == 0
