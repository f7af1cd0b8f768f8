"""Nothing but the data and the config decides a byte."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from convert.run import run
from tests.conftest import command, hash_tree, stamp_tree


@pytest.mark.ray
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_workers_decide_no_byte(miniature, converted, small_shards, tmp_path, workers):
    arguments = ["--root", miniature.root, "--out", tmp_path, "--config", small_shards]
    done = command("convert.run", "--all", "--workers", workers, *arguments)
    assert done.returncode == 0, done.stderr
    assert hash_tree(tmp_path) == hash_tree(converted)
    if workers == 64:
        assert "64 workers were requested" in done.stderr


@pytest.fixture
def cluster(tmp_path):
    """The address of a cluster that somebody else started, in a folder that is not ours."""
    ray = Path(sys.executable).with_name("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = ["--include-dashboard=false", "--disable-usage-stats"]
    start = [str(ray), "start", "--head", f"--port={port}", "--num-cpus=2", *quiet]
    subprocess.run(start, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    yield f"127.0.0.1:{port}"
    subprocess.run([str(ray), "stop", "--force"], check=True, capture_output=True, timeout=120)


@pytest.mark.ray
def test_a_cluster_that_is_already_there(miniature, converted, small_shards, tmp_path, cluster):
    out = tmp_path / "out"
    arguments = ["--root", miniature.root, "--out", out, "--config", small_shards]
    done = command("convert.run", "--all", "--workers", 2, "--address", cluster, *arguments)
    assert done.returncode == 0, done.stderr
    assert hash_tree(out) == hash_tree(converted)


def test_a_cluster_that_is_not_there(miniature, tmp_path):
    arguments = ["--root", miniature.root, "--out", tmp_path, "--address", "127.0.0.1:9"]
    done = command("convert.run", "--all", *arguments)
    assert done.returncode == 2
    assert "--address 127.0.0.1:9" in done.stderr


def test_surroundings_decide_no_byte(miniature, converted, small_shards, tmp_path):
    before = os.umask(0o077)
    try:
        done = command(
            "convert.run", "--all", "--workers", 0,
            "--root", miniature.root, "--out", tmp_path, "--config", small_shards,
            TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7", PYTHONUTF8="0",
        )  # fmt: skip
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert hash_tree(tmp_path) == hash_tree(converted)


def test_listing_order_decides_no_byte(miniature, converted, small_shards, tmp_path, monkeypatch):
    real = os.scandir

    class Reversed:
        def __init__(self, path):
            with real(path) as entries:
                self.entries = sorted(entries, key=lambda e: e.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    with monkeypatch.context() as patch:
        patch.setattr("convert.sources.files.os.scandir", Reversed)
        code = run(all_=True, workers=0, root=miniature.root, out=tmp_path, config=small_shards)
    assert code == 0
    assert hash_tree(tmp_path) == hash_tree(converted)


def test_where_the_data_lies_decides_no_byte(miniature, converted, small_shards, tmp_path):
    link = tmp_path / "elsewhere"
    link.symlink_to(miniature.root)
    out = tmp_path / "out"
    assert run(all_=True, workers=0, root=link, out=out, config=small_shards) == 0
    assert hash_tree(out) == hash_tree(converted)


def test_a_finished_run_writes_nothing_again(miniature, small_shards, tmp_path):
    arguments = {"root": miniature.root, "out": tmp_path, "config": small_shards}
    assert run(all_=True, workers=0, **arguments) == 0
    before, inputs = stamp_tree(tmp_path), stamp_tree(miniature.root)
    assert run(all_=True, workers=0, **arguments) == 0
    assert stamp_tree(tmp_path) == before
    assert stamp_tree(miniature.root) == inputs


def test_only_what_is_missing_is_made(miniature, small_shards, tmp_path):
    arguments = {"root": miniature.root, "out": tmp_path, "config": small_shards}
    assert run(all_=True, workers=0, **arguments) == 0
    before, hashes = stamp_tree(tmp_path), hash_tree(tmp_path)
    gone = "refcoco/train/refcoco-train-000000"
    (tmp_path / f"{gone}.tar").unlink()
    assert run(all_=True, workers=0, **arguments) == 0
    assert hash_tree(tmp_path) == hashes
    changed = {name for name, stamp in stamp_tree(tmp_path).items() if before[name] != stamp}
    shard = {f"{gone}.{extension}" for extension in ("tar", "arrow", "idx", "json")}
    split = {f"refcoco/train/{name}" for name in ("manifest.json", "samples.arrow")}
    assert changed <= {*shard, *split, "refcoco/train", "refcoco", "."}
    assert shard <= changed


def test_a_damaged_shard_is_made_again(miniature, small_shards, tmp_path):
    arguments = {"root": miniature.root, "out": tmp_path, "config": small_shards}
    assert run(source=["ade20k"], workers=0, **arguments) == 0
    hashes = hash_tree(tmp_path)
    tar = next((tmp_path / "ade20k/train").glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:-5000])
    assert run(source=["ade20k"], workers=0, **arguments) == 0
    assert hash_tree(tmp_path) == hashes


def test_photos_of_a_sample_do_not_depend_on_the_size_of_shards(miniature, tmp_path, converted):
    from shards.layout import read_split
    from tests.conftest import write_config

    config = write_config(tmp_path, items_per_shard=5)
    out = tmp_path / "out"
    assert run(all_=True, workers=0, root=miniature.root, out=out, config=config) == 0
    for folder in sorted(path.parent for path in converted.rglob("manifest.json")):
        other = out / folder.relative_to(converted)
        assert list(read_split(folder)) == list(read_split(other))
