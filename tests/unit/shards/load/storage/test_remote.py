"""Splits at a URL, from a real server: the same bytes as from a folder, or a clear error."""

import errno
import logging
import multiprocessing
import pickle
import shutil
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from shards.errors import CorruptShardError, LoadError
from shards.index.samples import SAMPLES
from shards.load.batches import LoaderOptions
from shards.load.reading.split import Selection, Split
from shards.load.storage import cached as download
from shards.load.storage import remote_store
from shards.load.storage.cache import BYTES, FOLDER, Cache
from shards.load.storage.files import open_files
from shards.load.storage.remote import RemoteFiles
from shards.manifest import MANIFEST, encode_json, read_manifest
from tests.loading import make_loader, write_split
from tests.unit.shards.load.storage.test_remote_server import CUT, SHORT, WHOLE, WRONG, serve

pytest.importorskip("obstore")
TAR = "small-train-000000.tar"
LOTS = 10**9


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(remote_store, "_wait", lambda _: None)
    pause = dict.fromkeys(("init_backoff", "max_backoff"), timedelta(milliseconds=1))
    monkeypatch.setitem(remote_store.RETRY, "backoff", pause | {"base": 2})
    monkeypatch.setitem(remote_store.RETRY, "max_retries", 2)
    monkeypatch.delenv(FOLDER, raising=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_split(tmp_path_factory.mktemp("written"), [40, 30, 20, 30])


@pytest.fixture
def folder(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "site" / "train"))


@pytest.fixture
def server(folder):
    with serve(folder.parent) as server:
        yield server


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", LOTS)


def everything(data, **arguments) -> list[bytes]:
    loader = make_loader(data, 10, **arguments)
    result = [bytes(raw.data) for batch in loader for raw in batch]
    loader.close()
    return result


def read(files, name: str = TAR, offset: int = 0, size: int = 512) -> bytes:
    out = bytearray(size)
    files.read_into(name, offset, memoryview(out))
    return bytes(out)


def test_the_same_bytes_by_ranges(folder, server) -> None:
    url = f"{server.url}/train/"
    assert everything(url) == everything(folder)
    requested = server.count()
    assert requested[MANIFEST] == 1
    assert sum(count for name, count in requested.items() if name.endswith(".tar")) == 120


def test_the_same_bytes_through_a_cache(folder, server, cache, caplog) -> None:
    url = f"{server.url}/train"
    assert everything(Split(open_files(url, cache=cache))) == everything(folder)
    requested = server.count()
    assert {requested[f"small-train-{number:06d}.tar"] for number in range(4)} == {1}
    server.requests.clear()
    assert everything(Split(open_files(url, cache=cache))) == everything(folder)
    assert set(server.count()) == {MANIFEST, SAMPLES}  # of the index, its size
    assert not list(cache.folder.glob("*.part"))
    assert not caplog.records


def test_the_cache_of_the_environment(folder, server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "other"))
    monkeypatch.setenv(BYTES, "1000000000")
    assert everything(f"{server.url}/train") == everything(folder)
    assert len(list((tmp_path / "other").glob("sha256-*"))) == 4
    monkeypatch.setenv(BYTES, "1 GB")
    with pytest.raises(LoadError, match=r"GLAMM_SHARDS_CACHE_BYTES is '1 GB'; expected a number"):
        open_files(f"{server.url}/train")


def test_a_cache_smaller_than_the_data(folder, server, tmp_path, caplog) -> None:
    size = max(path.stat().st_size for path in folder.glob("*.tar"))
    index = (folder / SAMPLES).stat().st_size
    cache = Cache(tmp_path / "cache", size + index + 1000)
    files = open_files(f"{server.url}/train", cache=cache)
    for order in ({"shuffle": False}, {"block": 1}, {"block": 4}):
        assert everything(Split(files), **order) == everything(folder, **order)
        held = sum(path.stat().st_size for path in cache.folder.iterdir() if path.is_file())
        assert held <= cache.bytes
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 1


def test_a_cache_too_small_for_any_file(folder, server, tmp_path, caplog) -> None:
    files = open_files(f"{server.url}/train", cache=Cache(tmp_path / "cache", 10))
    assert everything(Split(files)) == everything(folder)
    (record,) = caplog.records
    assert "read by range requests, which is slower; so are shards that follow" in record.message
    assert "do not fit into a cache of 10" in record.message


def test_a_full_disk(folder, server, cache, monkeypatch, caplog) -> None:
    """Shards are then read by range requests; only the index is needed on the disk."""

    def full(_fd: int, _piece: bytes, _at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = open_files(f"{server.url}/train", cache=cache)
    split = Split(files)
    monkeypatch.setattr(download, "_write", full)
    assert everything(split) == everything(folder)
    assert "that follow: No space left on device" in caplog.text
    assert not list(cache.folder.glob("*.part"))
    (cache.folder / files.path(SAMPLES).resolve()).unlink()
    with pytest.raises(LoadError, match=r"samples.arrow: cannot be written to .*No space left"):
        Split(open_files(f"{server.url}/train", cache=cache))


def test_names_that_lead_out_of_the_folder(folder, server) -> None:
    manifest = read_manifest(folder)
    shards = (replace(manifest.shards[0], name="../../secret"), *manifest.shards[1:])
    (folder / MANIFEST).write_bytes(encode_json(replace(manifest, shards=shards, checksum="")))
    with pytest.raises(CorruptShardError, match=r"0: '\.\./\.\./secret' is not a valid name"):
        open_files(f"{server.url}/train")


def test_prefetched_downloads(server, cache) -> None:
    files = RemoteFiles(f"{server.url}/train", cache)
    assert files._cached is not None
    names = [f"small-train-{number:06d}.tar" for number in range(4)]
    files.prefetch(names)
    for thread in list(files._cached._prefetching._threads):
        thread.join()
    server.requests.clear()
    assert all(len(read(files, name)) == 512 for name in names)
    assert not server.requests


def test_classes_and_queries(folder, server, cache) -> None:
    selection = Selection("phrases >= 3", expand="phrases")
    split = Split(open_files(f"{server.url}/train", cache=cache), selection)
    assert len(split) == len(Split.open(folder, selection))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("fault", [[503, 503], [500], [429], [CUT], [CUT, 503, CUT]], ids=str)
def test_failures_that_pass(folder, server, cache, fault, cached) -> None:
    server.faults[TAR] += fault
    server.faults[SAMPLES] += fault
    server.faults[MANIFEST] += fault
    url = f"{server.url}/train"
    assert everything(Split(open_files(url, cache=cache)) if cached else url) == everything(folder)
    assert not any(server.faults.values())


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ([404], CorruptShardError, "no such file; expected the URL of a folder"),
        ([403], LoadError, r"the server refuses \(403\); check that the credentials"),
        ([401], LoadError, r"the server refuses \(401\)"),
        ([503] * 9, LoadError, "the server answered 503, also to retries"),
        ([CUT] * 9, LoadError, "no answer"),
        ([SHORT], CorruptShardError, "the file ends early; copy it there again"),
        ([WHOLE], LoadError, "the server does not support range requests"),
    ],
    ids=["404", "403", "401", "503", "cut", "short", "whole"],
)
def test_failures_that_last(server, cache, fault, kind, words, cached) -> None:  # noqa: PLR0913, PLR0917
    url = server.url.replace("//", "//me:PASSWORD@") + "/train?key=QUERY"
    files = open_files(url, cache=cache if cached else None)
    server.faults[TAR] += fault
    with pytest.raises(kind, match=words) as caught:
        read(files)
    text = "".join(traceback.format_exception(caught.value)) + repr(files) + files.location
    assert f"{server.url}/train/{TAR}, byte 0: " in text
    assert not any(secret in text for secret in ("PASSWORD", "QUERY", "BODY"))
    basic = "Basic bWU6UEFTU1dPUkQ="
    assert set(server.seen) == {(basic, "key=QUERY")}
    server.faults.clear()
    if kind is LoadError:
        assert len(read(files)) == 512


def test_a_download_with_wrong_bytes_is_fetched_again(folder, server, cache, caplog) -> None:
    server.faults[TAR] += [WRONG]
    assert everything(Split(open_files(f"{server.url}/train", cache=cache))) == everything(folder)
    assert "downloaded with digest" in caplog.text


def test_wrong_bytes_are_refused(server, cache, caplog) -> None:
    files = open_files(f"{server.url}/train", cache=cache)
    server.faults[TAR] += [WRONG] * 2
    for _ in range(2):  # the second time without a request
        with pytest.raises(CorruptShardError, match="byte 0: downloaded twice, each time with"):
            read(files)
    assert server.count()[TAR] == 2
    assert not list(cache.folder.glob("sha256-*"))
    assert len(caplog.records) == 1
    server.faults[SAMPLES] += [WRONG] * 3
    with pytest.raises(CorruptShardError, match=SAMPLES):
        files.path(SAMPLES)


def test_the_checksum_detects_wrong_bytes_of_range_requests(server) -> None:
    server.faults[TAR] += [WRONG]
    with pytest.raises(CorruptShardError, match="the sample is not what was written"):
        everything(f"{server.url}/train")


def test_a_cache_whose_disk_loses_data(folder, server, cache, caplog) -> None:
    split = Split(open_files(f"{server.url}/train", cache=cache))
    before = everything(split)
    (entry,) = (e for e in cache.folder.iterdir() if e.read_bytes() == (folder / TAR).read_bytes())
    content = bytearray(entry.read_bytes())
    content[700] ^= 1
    entry.write_bytes(content)
    assert everything(split, options=LoaderOptions(threads=3)) == before
    assert server.count()[TAR] == 2
    assert "its copy in the cache has changed since the download" in caplog.text
    again = Split(open_files(f"{server.url}/train", cache=cache))
    assert everything(again) == before


def test_a_server_that_has_other_samples_than_its_manifest_says(server, cache) -> None:
    """The digest of the shard fits, that of a sample does not: downloaded twice, then refused."""
    split = Split(open_files(f"{server.url}/train", cache=cache))
    checksums = split._table._views[3]
    checksums[0] = np.bitwise_not(checksums[0].astype(np.uint64))
    with pytest.raises(CorruptShardError, match=f"{server.url}/train/small.*is not what was writ"):
        everything(split, shuffle=False)
    assert server.count()[TAR] == 2


def test_a_temporary_folder_that_was_removed(server, cache) -> None:
    for each in (None, cache):
        files = open_files(f"{server.url}/train", cache=each)
        shutil.rmtree(files.path(MANIFEST).parent)
        assert len(Split(files)) == 120
        assert len(Split(files)) == 120


def test_changed_content_is_another_entry(folder, server, cache) -> None:
    url = f"{server.url}/train"
    old = everything(Split(open_files(url, cache=cache)))
    for path in folder.iterdir():
        path.unlink()
    write_split(folder, [40, 30, 20, 30], first=500)
    new = everything(Split(open_files(url, cache=cache)))
    assert new == everything(folder) != old


def test_a_manifest_that_is_missing_or_damaged(folder, server) -> None:
    with pytest.raises(CorruptShardError, match=r"/none/manifest\.json, byte 0: no such file"):
        open_files(f"{server.url}/none")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"samples": 40', '"samples": 41'))
    with pytest.raises(CorruptShardError, match=r"manifest.json, byte 0: not what was written"):
        open_files(f"{server.url}/train")
    (folder / MANIFEST).write_text("{")
    with pytest.raises(CorruptShardError, match=f"{server.url}/train/manifest.json: not a manif"):
        open_files(f"{server.url}/train")


def test_names_that_are_not_in_the_manifest(server, cache) -> None:
    files = open_files(f"{server.url}/train", cache=cache)
    with pytest.raises(CorruptShardError, match=r"no such shard; expected one of 4, like small-"):
        read(files, "other.tar")
    with pytest.raises(CorruptShardError, match="the manifest names no such file"):
        files.path("classes.json")


@pytest.mark.parametrize(
    "url",
    ["ftp://me:PASSWORD@host/x", "http://me:PASSWORD@[x/", "gs://bucket/x", "http://", "s3://"],
)
def test_urls_that_are_not_valid(url) -> None:
    with pytest.raises((LoadError, CorruptShardError), match="expected") as caught:
        open_files(url)
    assert "PASSWORD" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_is_not_there(monkeypatch) -> None:
    monkeypatch.setitem(remote_store.RETRY, "max_retries", 0)
    with pytest.raises(LoadError, match="check that the server is up"):
        open_files("http://127.0.0.1:9/train")


def test_a_server_that_hangs(server, monkeypatch) -> None:
    monkeypatch.setitem(remote_store.RETRY, "max_retries", 0)
    monkeypatch.setitem(remote_store.CLIENT, "read_timeout", "100ms")
    files = open_files(f"{server.url}/train")
    server.pause.clear()
    with pytest.raises(LoadError, match="took too long to answer"):
        read(files)


def test_temporary_files_are_removed_with_their_object(server, cache) -> None:
    for each in (None, cache):
        files = open_files(f"{server.url}/train", cache=each)
        folder = files.path(MANIFEST).parent
        assert files.path(SAMPLES).parent == folder
        files.close()
        assert read(files) == read(files)
        del files
        assert not folder.exists()


def test_copies_see_the_same_manifest(folder, server, cache) -> None:
    files = open_files(f"{server.url}/train", cache=cache)
    (folder / MANIFEST).unlink()
    copy = pickle.loads(pickle.dumps(files))
    assert read(copy) == (folder / TAR).read_bytes()[:512]
    assert everything(pickle.loads(pickle.dumps(Split(files)))) == everything(Split(copy))


def test_a_forked_child_refuses_to_read(server, cache, folder) -> None:
    files = open_files(f"{server.url}/train", cache=cache)
    read(files)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_read_in_child, args=(files, answers))
    child.start()
    assert answers.get() == (folder / TAR).read_bytes()[:512]
    assert "was forked after its parent had read from a URL" in answers.get()
    child.join()
    assert files.path(MANIFEST).exists()


def _read_in_child(files, answers) -> None:
    answers.put(read(files))
    try:
        read(files, "small-train-000001.tar")
    except LoadError as error:
        answers.put(str(error))
    files.close()


def test_without_obstore() -> None:
    script = (
        "import sys; sys.modules['obstore'] = sys.modules['obstore.store'] = None\n"
        "from shards.load.reading.split import Split\n"
        "Split.open('s3://bucket/train')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (
        "MissingExtraError: s3://bucket/train: a URL needs obstore: pip install 'glamm-"
        in done.stderr
    )


def test_a_process_ends_during_downloads(server, cache) -> None:
    server.pause.clear()
    script = (
        "import sys; from pathlib import Path; from shards.load.storage.cache import Cache\n"
        "from shards.load.storage.files import open_files\n"
        f"files = open_files({server.url + '/train'!r}, cache=Cache(Path({str(cache.folder)!r})))\n"
        f"files.prefetch([{TAR!r}])\n"
        "import time; time.sleep(0.5); print('end')"
    )
    server.pause.set()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_empty_responses_are_not_retried_forever(server, monkeypatch) -> None:
    store = remote_store.RemoteStore(f"{server.url}/train")
    monkeypatch.setattr(store, "_pieces", lambda *_: iter(()))
    with pytest.raises(LoadError, match=rf"{TAR}, byte 7: the response is empty"):
        list(store.stream(TAR, 7, 100))
