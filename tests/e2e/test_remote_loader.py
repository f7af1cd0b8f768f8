"""Loading from a web server and from S3 gives what a folder gives, also if a process dies."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from shards.errors import CorruptShardError, LoadError
from shards.load.batches import LoaderOptions
from shards.load.mixture import Mixture
from shards.load.reading.index import SampleIndex
from shards.load.reading.split import Split
from shards.load.storage.cache import BYTES, FOLDER, Cache
from shards.load.storage.files import open_files
from shards.manifest import MANIFEST
from tests.conftest import REPOSITORY
from tests.loading import make_loader, numbers, write_split
from tests.unit.shards.load.storage.test_remote_server import serve

pytest.importorskip("obstore")

TAR = "small-train-000000.tar"
PROGRAM = """
import json, sys
from shards.load.storage import remote_store
from tests.loading import make_loader, numbers
remote_store.CHUNK = 4096
print(json.dumps([numbers(batch) for batch in make_loader(sys.argv[1], 10)]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    write_split(folder / "a" / "train", [40, 30, 20])
    write_split(folder / "b" / "train", [20, 30], first=200)
    return folder


@pytest.fixture
def server(site):
    with serve(site) as server:
        yield server


@pytest.fixture(params=["ranges", "cache"])
def stored(request, tmp_path, monkeypatch) -> None:
    if request.param == "cache":
        monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    else:
        monkeypatch.delenv(FOLDER, raising=False)


def load_all(data, batch=10, **settings) -> list[list[int]]:
    loader = make_loader(data, batch, **settings)
    loaded = [numbers(batch) for batch in loader]
    loader.close()
    return loaded


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("threads", [0, 3])
def test_a_url_gives_what_its_folder_gives(site, server, threads) -> None:
    options = LoaderOptions(threads=threads)
    assert load_all(f"{server.url}/a/train", options=options) == load_all(site / "a" / "train")
    selection = {"where": "phrases > 2", "expand": "phrases"}
    loaded = load_all(f"{server.url}/a/train", options=options, world=2, rank=1, **selection)
    assert loaded == load_all(site / "a" / "train", world=2, rank=1, **selection)


@pytest.mark.usefixtures("stored")
def test_a_mixture_below_a_url(site, server) -> None:
    values = {"mix": {"a": 3, "b": 1}, "epoch_steps": 7}
    loaded = load_all(Mixture.of(values, server.url), 8)
    assert loaded == load_all(Mixture.of(values, site), 8)
    assert loaded == load_all(Mixture.of(values, f"{server.url}/"), 8)


def test_a_state_goes_from_a_folder_to_a_url(site, server) -> None:
    here = make_loader(site / "a" / "train", 10)
    next(iter(here))
    there = make_loader(f"{server.url}/a/train", 10)
    there.load_state_dict(here.state_dict())
    assert [numbers(batch) for batch in there] == [numbers(batch) for batch in here]


@pytest.mark.usefixtures("stored")
def test_single_samples_and_queries(converted) -> None:
    folder = converted / "paco_lvis/train"
    with (
        serve(converted) as server,
        SampleIndex(f"{server.url}/paco_lvis/train") as there,
        SampleIndex(folder) as here,
    ):
        assert all(there[number] == here[number] for number in range(len(here)))
        for query in ("masks > 1", "classes contains 'dog'"):
            assert there.where(query).tolist() == here.where(query).tolist()
    with pytest.raises(LoadError, match="a URL cannot be a Path; expected a str"):
        SampleIndex(Path(server.url))


@pytest.fixture(scope="module")
def s3(site, tmp_path_factory):
    """The address of an S3 server, with the site in its bucket `data`."""
    pytest.importorskip("moto")
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=stream, stderr=stream,
        )  # fmt: skip
    try:
        endpoint = _address(server, log)
        _put(f"{endpoint}/data", b"")
        for path in site.rglob("*"):
            if path.is_file():
                _put(f"{endpoint}/data/sets/{path.relative_to(site)}", path.read_bytes())
        yield endpoint
    finally:
        server.kill()
        server.wait()


def _address(server, log: Path) -> str:
    for _ in range(600):
        for word in log.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                return word
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _put(url: str, content: bytes) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, content, headers, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@pytest.fixture
def bucket(s3, monkeypatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "SECRET",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("bucket", "stored")
def test_a_bucket_gives_what_its_folder_gives(site) -> None:
    options = LoaderOptions(threads=2)
    assert load_all("s3://data/sets/a/train", options=options) == load_all(site / "a" / "train")
    values = {"mix": {"a": 3, "b": 1}, "epoch_steps": 7}
    mixture = Mixture.of(values, "s3://data/sets/")
    assert load_all(mixture, 8) == load_all(Mixture.of(values, site), 8)


@pytest.mark.usefixtures("bucket")
def test_a_bucket_in_which_something_is_wrong(site, s3, tmp_path, monkeypatch) -> None:
    with pytest.raises(
        CorruptShardError, match=r"s3://data/none/manifest\.json, byte 0: no such f"
    ):
        Split.open("s3://data/none")
    with pytest.raises(
        (CorruptShardError, LoadError), match=r"s3://nobody/a/manifest\.json, byte 0"
    ):
        Split.open("s3://nobody/a")
    for name in (MANIFEST, TAR):
        content = bytearray((site / "b" / "train" / name).read_bytes())
        content[600] ^= name == TAR
        _put(f"{s3}/data/damaged/{name}", bytes(content))
    files = open_files("s3://data/damaged", cache=Cache(tmp_path))
    with pytest.raises(CorruptShardError, match=rf"{TAR}, byte 0: downloaded twice, each time"):
        files.read_into(TAR, 0, memoryview(bytearray(9)))
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(LoadError, match=r"the server refuses \(403\); check that the credentials"):
        Split.open("s3://data/sets/a/train")


def start(url: str, cache) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {FOLDER: str(cache.folder), BYTES: str(cache.bytes)},
    )  # fmt: skip


def until(there) -> None:
    for _ in range(600):
        if there():
            return
        time.sleep(0.05)
    raise AssertionError("nothing happened")


@pytest.mark.chaos
def test_one_of_many_is_killed_in_the_middle_of_a_download(site, server, tmp_path) -> None:
    cache, url = Cache(tmp_path / "cache"), f"{server.url}/a/train"
    server.pause_in = TAR
    server.pause.clear()
    victim = start(url, cache)
    digest = Split.open(site / "a" / "train").manifest.shards[0].sha256

    def has_begun() -> bool:
        parts = cache.folder.glob(f".sha256-{digest}.*.part")
        return any(part.stat().st_size > 4096 for part in parts)

    until(has_begun)
    others = [start(url, cache) for _ in range(3)]
    until(lambda: server.count()["manifest.json"] == 4)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    server.pause.set()
    expected = load_all(site / "a" / "train")
    for each in others:
        output, errors = each.communicate(timeout=60)
        assert (each.returncode, errors) == (0, "")
        assert json.loads(output) == expected
    assert not list(cache.folder.glob("*.part"))
    tars = Counter(name for name, _ in server.requests if name.endswith(".tar"))
    assert max(tars.values()) <= 2  # all shards that the victim had begun, and none more often
    (again,) = [requested for name, requested in server.requests if name == TAR][1:]
    assert int(again.removeprefix("bytes=").partition("-")[0]) > 4096


@pytest.mark.slow
def test_many_processes_and_a_small_cache(site, server, tmp_path) -> None:
    size = max(path.stat().st_size for path in site.rglob("*.tar"))
    cache = Cache(tmp_path / "cache", 2 * size)
    readers = [start(f"{server.url}/a/train", cache) for _ in range(4)]
    expected = load_all(site / "a" / "train")
    for each in readers:
        output, _ = each.communicate(timeout=60)
        assert json.loads(output) == expected
        held = sum(path.stat().st_size for path in cache.folder.iterdir())
        assert held <= cache.bytes


def test_leaving_early_leaves_no_thread_and_no_part_that_is_lost(site, server, tmp_path) -> None:
    cache = Cache(tmp_path / "cache")
    split = Split(open_files(f"{server.url}/a/train", cache=cache))
    for _ in range(5):
        batches = iter(make_loader(split, 10, options=LoaderOptions(threads=2)))
        next(batches)
        batches.close()
        assert not [each for each in threading.enumerate() if each.name.startswith("shards")]
    assert load_all(split) == load_all(site / "a" / "train")
    assert not list(cache.folder.glob("*.part"))
