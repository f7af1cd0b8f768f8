"""Kill the program at any time and run it again: the shards are the same."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import REPOSITORY, hash_tree

pytestmark = pytest.mark.chaos


@pytest.fixture(autouse=True)
def interruptible():
    """Accept SIGINT: a shell that runs tests in the background makes them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(miniature, out, config, workers):
    """Start a run in a process group of its own; its log goes to a file beside `out`."""
    arguments = ["--root", miniature.root, "--out", out, "--config", config]
    with log_path(out).open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "convert.run", "--all", "--workers", str(workers)]
            + [str(argument) for argument in arguments],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


def log_path(out):
    return out.with_name(f"{out.name}.log")


def finish(miniature, out, config, workers):
    process = start(miniature, out, config, workers)
    assert process.wait(timeout=240) == 0, log_path(out).read_text()


def work_begins(out, process):
    """Wait for the first file of a shard, so that the kill does not hit the imports."""
    while process.poll() is None and not any(out.glob("*/*/.*.tmp")):
        time.sleep(0.002)


def assert_no_half_shard(out):
    """A reader must never see the record of a shard without its tar."""
    for record in out.glob("*/*/*-[0-9]*.json"):
        assert record.with_suffix(".tar").is_file()


@pytest.mark.parametrize("seed", range(12))
def test_killed_in_process(miniature, converted, small_shards, tmp_path, seed):
    rng = random.Random(seed)
    for _ in range(3):
        process = start(miniature, tmp_path, small_shards, 0)
        work_begins(tmp_path, process)
        time.sleep(rng.uniform(0, 0.25))
        process.kill()
        process.wait()
        assert_no_half_shard(tmp_path)
    finish(miniature, tmp_path, small_shards, 0)
    assert hash_tree(tmp_path) == hash_tree(converted)


@pytest.mark.ray
@pytest.mark.parametrize("seed", range(3))
def test_driver_killed_on_ray(draw_miniature, small_shards, tmp_path, seed):
    drawn = draw_miniature(40)
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    finish(drawn, undisturbed, small_shards, 0)
    out.mkdir()
    process = start(drawn, out, small_shards, 2)
    work_begins(out, process)
    time.sleep(random.Random(seed).uniform(0, 0.6))
    process.kill()
    process.wait()
    assert_no_half_shard(out)
    finish(drawn, out, small_shards, 2)
    assert hash_tree(out) == hash_tree(undisturbed)


@pytest.mark.ray
def test_workers_killed_on_ray(draw_miniature, small_shards, tmp_path):
    """The shard of a lost worker is converted again in the same run."""
    drawn = draw_miniature(40)
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    finish(drawn, undisturbed, small_shards, 0)
    out.mkdir()
    process = start(drawn, out, small_shards, 2)
    killed = 0
    while process.poll() is None and killed < 2:
        for temporary in out.glob("*/*/.*.tmp"):
            # `.<file>.<host>-<pid>.tmp`
            pid = int(temporary.name.rpartition("-")[2].removesuffix(".tmp"))
            if killed < 2:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.005)
    assert process.wait(timeout=240) == 0
    assert killed == 2
    assert hash_tree(out) == hash_tree(undisturbed)


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_signal_stops_the_run(draw_miniature, small_shards, tmp_path, number, workers):
    drawn = draw_miniature(40)
    process = start(drawn, tmp_path, small_shards, workers)
    work_begins(tmp_path, process)
    os.killpg(process.pid, number)
    assert process.wait(timeout=20) == 130, log_path(tmp_path).read_text()
    assert not list(tmp_path.glob("*/*/.*.tmp"))
    finish(drawn, tmp_path, small_shards, workers)
    splits = {(name, s.split) for name, truth in drawn.truths.items() for s in truth.samples}
    assert len(list(tmp_path.rglob("manifest.json"))) == len(splits)
