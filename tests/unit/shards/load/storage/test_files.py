"""Files of a folder: many threads, forks, other processes, missing and truncated files."""

import multiprocessing
import os
import pickle
import random
import threading
from pathlib import Path

import pytest

from shards.errors import CorruptShardError
from shards.load.reading.split import Split
from shards.load.storage import files as module
from shards.load.storage.background import Background
from shards.load.storage.files import (
    FilePool,
    LocalFiles,
    _process,
    is_in_page_cache,
    open_files,
)
from tests.loading import make_loader, numbers, write_split


def content(number: int) -> bytes:
    return bytes([number]) * 5000


@pytest.fixture
def folder(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(content(number))
    return tmp_path


def read(files, name: str, offset: int = 0, size: int = 100) -> bytes:
    out = bytearray(size)
    files.read_into(name, offset, memoryview(out))
    return bytes(out)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_reads_what_is_there(folder) -> None:
    files = open_files(str(folder))
    assert read(files, "7", 4900) == content(7)[:100]
    assert files.path("7").read_bytes() == content(7)
    assert files.location == str(folder)
    assert repr(files) == f"LocalFiles({str(folder)!r})"


@pytest.mark.parametrize(
    ("name", "offset", "words"),
    [
        ("30", 7, "30, byte 7: No such file or directory; copy the split again"),
        ("3", 4950, "3, byte 4950: expected 100 bytes, the file ends after 50; copy it again"),
        ("3", 9000, "3, byte 9000: expected 100 bytes, the file ends after 0"),
    ],
)
def test_missing_and_short(folder, name, offset, words) -> None:
    with pytest.raises(CorruptShardError, match=words):
        read(LocalFiles(folder), name, offset)


def test_threads_read_while_files_are_closed_for_others(folder, monkeypatch) -> None:
    monkeypatch.setattr("shards.load.storage.files.max_open_files", lambda: 3)
    before = descriptors()
    opened: FilePool[str] = FilePool(lambda name: os.open(folder / name, os.O_RDONLY))
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng, out = random.Random(seed), bytearray(64)
        for _ in range(3000):
            number = rng.randrange(20)
            size = opened.read(str(number), rng.randrange(4900), memoryview(out))
            if size != 64 or out != content(number)[:64]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert descriptors() <= before + 3
    opened.clear()
    assert descriptors() == before


def test_files_that_are_read_stay_open(folder, monkeypatch) -> None:
    monkeypatch.setattr("shards.load.storage.files.max_open_files", lambda: 3)
    requested: list[str] = []

    def opener(name: str) -> int:
        requested.append(name)
        return os.open(folder / name, os.O_RDONLY)

    opened, out = FilePool(opener), memoryview(bytearray(8))
    for number in range(1, 20):
        opened.read("0", 0, out)
        opened.read(str(number), 0, out)
    assert requested.count("0") == 1
    opened.close_unused()
    opened.read("0", 0, out)
    opened.close_unused()
    opened.close_unused()
    opened.read("0", 0, out)
    assert requested.count("0") == 2


def test_closing_opens_again(folder) -> None:
    before = descriptors()
    files = LocalFiles(folder)
    read(files, "1")
    files.prefetch(["1", "2", "absent"])
    files.close()
    assert descriptors() == before
    assert read(files, "1") == content(1)[:100]


def test_other_processes(folder) -> None:
    files = LocalFiles(folder)
    files.prefetch([str(number) for number in range(20)])
    read(files, "1")
    assert read(pickle.loads(pickle.dumps(files)), "2") == content(2)[:100]
    # A lock that another thread holds during the fork is never released in the child.
    with _process.lock, files._prefetching._lock:
        child = multiprocessing.get_context("fork").Process(target=_read_in_child, args=(files,))
        child.start()
    child.join(20)
    assert child.exitcode == 0
    assert read(files, "1") == content(1)[:100]


def _read_in_child(files) -> None:
    assert not len(files._pool)
    for number in range(20):
        assert read(files, str(number)) == content(number)[:100]
    files._prefetching.add(["1"])
    files.close()


def test_threads_end_with_their_work() -> None:
    done, hold = [], threading.Event()

    def work(name: str, stop: threading.Event) -> None:
        while not hold.wait(0.01):
            if stop.is_set():
                return
        done.append(name)

    background = Background(work, threads=2)
    background.add(list("abcde"))
    threads = list(background._threads)
    assert len(threads) == 2
    hold.set()
    for thread in threads:
        thread.join(5)
    assert sorted(done) == list("abcde")
    hold.clear()
    background.add(list("fgh"))
    background.stop()
    assert sorted(done) == list("abcde")
    assert not any(thread.name == "shards-prefetch" for thread in threading.enumerate())


def test_prefetching_goes_on_if_no_thread_can_start(monkeypatch, caplog) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[str] = []
    background = Background(lambda name, _: done.append(name), threads=2)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        background.add(["a"])
    assert "cannot prefetch: can't start new thread" in caplog.text
    background.add(["b"])
    for thread in list(background._threads):
        thread.join(5)
    background.stop()
    assert done == ["b"]


def test_whole_shards_are_prefetched(tmp_path, monkeypatch) -> None:
    requested: list[tuple[int, int]] = []
    monkeypatch.setattr("shards.load.storage.files._STRETCH", 4096)
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, start, size, __: requested.append((start, size))
    )
    split = Split.open(write_split(tmp_path, [5]))
    monkeypatch.setattr(module, "is_in_page_cache", lambda _fd, _size: False)
    split.files.prefetch(split.names)
    for thread in list(split.files._prefetching._threads):  # type: ignore[attr-defined]
        thread.join()
    size = split.manifest.shards[0].bytes
    assert requested == [(start, 4096) for start in range(0, size, 4096)]


def test_shards_in_the_page_cache_are_not_prefetched(tmp_path, monkeypatch) -> None:
    split = Split.open(write_split(tmp_path, [5]))
    path = tmp_path / split.names[0]
    path.read_bytes()
    with path.open("rb") as stream:
        if not is_in_page_cache(stream.fileno(), path.stat().st_size):
            pytest.skip("this file system cannot tell what is in the page cache")
    requested: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, start, *__: requested.append(start))
    split.files.prefetch(split.names)
    assert not split.files._prefetching._threads  # type: ignore[attr-defined]
    assert not requested


def test_a_thread_prefetches_from_the_first_shard_not_in_the_page_cache(
    folder, monkeypatch
) -> None:
    """The caller never waits for more than one file."""
    answers, handed = iter([True, False]), list[str]()
    monkeypatch.setattr(module, "is_in_page_cache", lambda _fd, _size: next(answers))
    files = LocalFiles(folder)
    monkeypatch.setattr(files._prefetching, "add", handed.extend)
    files.prefetch(["1", "2", "3", "4"])
    assert handed == ["2", "3", "4"]
    assert next(answers, None) is None


def test_a_loader_over_spawned_copies(tmp_path) -> None:
    split = Split.open(write_split(tmp_path, [30, 20, 10]))
    copy = pickle.loads(pickle.dumps(split))
    batches = [numbers(batch) for batch in make_loader(split, 10)]
    assert [numbers(batch) for batch in make_loader(copy, 10)] == batches
