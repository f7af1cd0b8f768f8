"""A shard is written whole or not at all, whichever step fails."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shards.errors import SampleError, ShardError
from shards.index.dali import DALI
from shards.layout import read_shard
from shards.manifest import Tally, encode_json, read_info
from shards.sample import EncodedImage, Size
from shards.writer import ShardWriter
from tests.conftest import hash_tree
from tests.unit.shards.test_sample import make

NAME = "a-b-000000"
SAMPLES = [
    make(key=f"a-{number}", image=EncodedImage(b"x" * number, "jpg", Size(3, 5)))
    for number in (0, 1, 600)
]


def write(folder: Path, samples=SAMPLES, task: str = "t"):
    with ShardWriter(folder, NAME) as shard:
        for sample in samples:
            shard.add(sample)
        tally = Tally(len(samples) + 1, {"ImageMissingError": 1})
        beside = {f"{NAME}.rejects.jsonl": b"{}\n"}
        return shard.commit(task=task, tally=tally, indexes=[DALI], beside=beside)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ALL = [f"{NAME}.{extension}" for extension in ("arrow", "idx", "json", "rejects.jsonl", "tar")]


def test_the_same_samples_give_the_same_bytes(tmp_path) -> None:
    info = write(tmp_path / "one")
    assert names(tmp_path / "one") == ALL
    assert write(tmp_path / "two") == info == write(tmp_path / "one")
    assert hash_tree(tmp_path / "one") == hash_tree(tmp_path / "two")
    assert hash_tree(tmp_path / "one")[f"{NAME}.tar"] == info.sha256
    assert read_info(tmp_path / "one" / f"{NAME}.json") == info
    assert (info.samples, info.task) == (3, "t")


def test_without_commit_nothing_is_left(tmp_path) -> None:
    with ShardWriter(tmp_path, NAME) as shard:
        shard.add(SAMPLES[0])
        assert len(names(tmp_path)) == 1
        assert names(tmp_path)[0].startswith(".")
    assert names(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), ShardWriter(tmp_path, NAME) as shard:  # noqa: PT012
        shard.add(SAMPLES[0])
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_duplicate_key_is_an_error(tmp_path) -> None:
    with pytest.raises(SampleError, match="a-0: this key is already in a-b-000000"):
        write(tmp_path, [SAMPLES[0], SAMPLES[1], SAMPLES[0]])
    assert names(tmp_path) == []


def test_a_bad_sample_is_refused(tmp_path) -> None:
    with pytest.raises(SampleError, match="a key matches"):
        write(tmp_path, [SAMPLES[0], make(key="no good")])
    assert names(tmp_path) == []


@pytest.mark.parametrize("items", [0, 1, 3])
def test_every_item_is_accounted_for(tmp_path, items) -> None:
    with ShardWriter(tmp_path, NAME) as shard:
        shard.add(SAMPLES[0])
        with pytest.raises(
            ShardError, match=f"1 samples and 1 rejected or filtered items, expected {items} in"
        ):
            shard.commit(task="t", tally=Tally(items, {"ImageMissingError": 1}))
    assert names(tmp_path) == []


def test_files_of_an_older_shard_go_with_it(tmp_path) -> None:
    """An empty shard has no index file; the file of an older shard must not stay."""
    write(tmp_path)
    assert {f"{NAME}.rejects.jsonl", f"{NAME}.idx"} <= set(names(tmp_path))
    other = tmp_path / f"{NAME}0.idx"
    other.write_bytes(b"of a shard with a longer name")
    with ShardWriter(tmp_path, NAME) as shard:
        shard.commit(task="t", tally=Tally(0), indexes=(DALI,))
    assert names(tmp_path) == sorted([f"{NAME}.arrow", f"{NAME}.json", f"{NAME}.tar", other.name])


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(tmp_path, umask, mode) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {mode}


class FullDisk:
    """Fails one call after a number of successful ones, as a full disk does."""

    def __init__(self, monkeypatch, allowed: int) -> None:
        self.left = allowed
        self.failed = False
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (os, "open")):
            monkeypatch.setattr(owner, name, self._guard(getattr(owner, name)))

    def _guard(self, function):
        def guarded(*arguments, **options):
            self.left -= 1
            if self.left == -1:
                self.failed = True
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments, **options)

        return guarded


@pytest.mark.parametrize("first_time", [True, False])
def test_no_record_is_left_whichever_step_fails(tmp_path, monkeypatch, first_time) -> None:
    write(tmp_path / "undisturbed")
    expected = hash_tree(tmp_path / "undisturbed")
    for allowed in range(100):
        folder = tmp_path / str(allowed)
        if not first_time:  # an older shard of other bytes stands there, whole
            write(folder, SAMPLES[:1], task="older")
        older = hash_tree(folder)
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, allowed)
            try:
                write(folder)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017  # some runs get through
        left = hash_tree(folder)
        if f"{NAME}.json" in left:
            whole = {name: digest for name, digest in left.items() if not name.startswith(".")}
            assert whole in (expected, older)
        write(folder)
        visible = {n: d for n, d in hash_tree(folder).items() if not n.startswith(".")}
        assert visible == expected
        if not disk.failed:
            assert left == expected
            assert allowed > 10  # the loop did reach every step
            return
    pytest.fail("never got through")


def test_files_are_synced_then_named_and_the_record_comes_last(tmp_path, monkeypatch) -> None:
    order: list[str] = []
    synced: set[int] = set()
    replace, fsync = Path.replace, os.fsync

    def note(path: Path, to: Path) -> Path:
        assert path.stat().st_ino in synced  # else a power cut leaves an empty file of that name
        order.append(to.name)
        return replace(path, to)

    def note_sync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(Path, "replace", note)
    monkeypatch.setattr(os, "fsync", note_sync)
    write(tmp_path)
    assert sorted(order) == ALL
    assert (order[0], order[-1]) == (f"{NAME}.tar", f"{NAME}.json")


FULL = """
import resource, signal, sys
from pathlib import Path
from shards.writer import ShardWriter
from shards.manifest import Tally
from shards.sample import EncodedImage, Sample, Size

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
image = EncodedImage(bytes(int(sys.argv[2])), "jpg", Size(1, 1))
with ShardWriter(Path(sys.argv[1]), "a-b-000000") as shard:
    shard.add(Sample("a-1", image, Size(1, 1)))
    shard.commit(task="", tally=Tally(1))
"""


@pytest.mark.parametrize("size", [10_000, 3_000_000])
def test_a_disk_that_is_full_leaves_nothing(tmp_path, size) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path, str(size)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert "File too large" in ran.stderr
    assert names(tmp_path) == []


def test_an_empty_shard_has_no_index(tmp_path) -> None:
    with ShardWriter(tmp_path, NAME) as shard:
        info = shard.commit(task="t", tally=Tally(0), indexes=[DALI])
    assert names(tmp_path) == [f"{NAME}.arrow", f"{NAME}.json", f"{NAME}.tar"]
    assert info.bytes == 1024
    assert list(read_shard(tmp_path / f"{NAME}.tar")) == []
    assert (tmp_path / f"{NAME}.json").read_bytes() == encode_json(info)
