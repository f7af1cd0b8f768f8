"""The cache: many processes, within its size limit, whichever of them is killed."""

import errno
import hashlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from shards.errors import CorruptShardError, LoadError
from shards.load.storage.cache import _LOCK, Cache, _cached_files, locked
from shards.load.storage.cached import StoppedError

SIZE = 1000


def content(number: int) -> bytes:
    return number.to_bytes(2) * (SIZE // 2)


def key(number: int) -> str:
    return f"sha256-{hashlib.sha256(content(number)).hexdigest()}"


def fetch(cache: Cache, number: int, fill=None) -> int:
    return cache.fetch(key(number), SIZE, fill or (lambda fd: write(fd, number)))


def write(fd: int, number: int) -> None:
    os.pwrite(fd, content(number), 0)


def take(cache, number: int, fill=None) -> bytes:
    fd = fetch(cache, number, fill)
    try:
        return os.pread(fd, 2 * SIZE, 0)
    finally:
        os.close(fd)


def never(_fd: int) -> None:
    raise AssertionError("it was there")


def entries(cache) -> set[str]:
    return {path.name for path in cache.folder.glob("sha256-*")}


def taken(cache) -> int:
    return sum(path.stat().st_size for path in cache.folder.iterdir())


def test_an_entry_is_filled_once(tmp_path) -> None:
    cache = Cache(tmp_path, 10 * SIZE)
    assert take(cache, 1) == take(cache, 1, never) == content(1)
    assert not list(tmp_path.glob("*.part"))


def test_a_file_system_without_locks_costs_no_descriptor(tmp_path, monkeypatch) -> None:
    def share_lock(_fd: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    cache = Cache(tmp_path, 10 * SIZE)
    take(cache, 1)
    before = list(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr("shards.load.storage.cache.share_lock", share_lock)
    for _ in range(3):
        with pytest.raises(OSError, match="no locks"):
            cache.find(key(1), SIZE)
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


def test_those_not_used_for_longest_make_room(tmp_path) -> None:
    cache = Cache(tmp_path, 3 * SIZE)
    for number in (1, 2, 3):
        take(cache, number)
        os.utime(tmp_path / key(number), (number, number))
    take(cache, 1, never)
    take(cache, 4)
    assert entries(cache) == {key(1), key(3), key(4)}


def test_what_is_open_stays(tmp_path) -> None:
    cache = Cache(tmp_path, 2 * SIZE)
    fds = [fetch(cache, 1), fetch(cache, 2)]
    with pytest.raises(OSError, match="do not fit into a cache of 2000 beside what is in use"):
        fetch(cache, 3)
    assert entries(cache) == {key(1), key(2)}
    os.close(fds[0])
    assert take(cache, 3) == content(3)
    assert entries(cache) == {key(2), key(3)}
    assert os.pread(fds[1], 5, 0) == content(2)[:5]
    os.close(fds[1])


def test_files_of_others_are_not_touched(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_bytes(bytes(50 * SIZE))
    (tmp_path / "sha256-x").mkdir()
    cache = Cache(tmp_path, SIZE)
    for number in range(5):
        take(cache, number)
    assert (tmp_path / "thesis.tex").exists()
    assert entries(cache) == {"sha256-x", key(4)}


def test_a_file_that_never_fits_drives_nothing_out(tmp_path) -> None:
    cache = Cache(tmp_path, 2 * SIZE)
    take(cache, 1)
    with pytest.raises(OSError, match="do not fit") as caught:
        cache.fetch("xxh3-00", 3 * SIZE, never)
    assert caught.value.errno == errno.ENOSPC
    assert entries(cache) == {key(1)}
    assert not list(tmp_path.glob("*.part"))


def test_an_entry_cut_short_is_replaced(tmp_path) -> None:
    cache = Cache(tmp_path, 10 * SIZE)
    take(cache, 1)
    (tmp_path / key(1)).write_bytes(b"short")
    assert take(cache, 1) == content(1)


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 0),
        (CorruptShardError("wrong"), 0),
        (LoadError("the server is away"), 1),
        (StoppedError(), 1),
    ],
    ids=["disk", "wrong", "server", "stopped"],
)
def test_what_is_left_of_a_failure(tmp_path, error, left) -> None:
    cache = Cache(tmp_path, 10 * SIZE)

    def fail(fd: int) -> None:
        os.write(fd, b"xx")
        raise error

    with pytest.raises(type(error)):
        fetch(cache, 1, fail)
    parts = list(tmp_path.glob(".*.part"))
    assert len(parts) == left
    assert all(part.read_bytes() == b"xx" for part in parts)
    assert take(cache, 1) == content(1)
    assert not list(tmp_path.glob("*.part"))


def test_abandoned_parts_make_room(tmp_path) -> None:
    cache = Cache(tmp_path, 2 * SIZE)

    def fail(_fd: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        fetch(cache, 1, fail)
    take(cache, 2)
    assert list(tmp_path.glob("*.part"))
    take(cache, 3)
    assert not list(tmp_path.glob("*.part"))
    assert entries(cache) == {key(2), key(3)}


def test_threads_share(tmp_path) -> None:
    cache = Cache(tmp_path, 100 * SIZE)
    filled: list[int] = []
    wrong: list[int] = []

    def work() -> None:
        for number in range(30):

            def fill(fd: int, number: int = number) -> None:
                filled.append(number)
                write(fd, number)

            if take(cache, number, fill) != content(number):
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert sorted(filled) == list(range(30))


def _crowd(folder: Path, seed: int, answers) -> None:
    cache, failures = Cache(folder, 5 * SIZE), list[str]()
    for step in range(150):
        number = (step * (seed + 2) + seed) % 11
        try:
            result = take(cache, number)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                failures.append(repr(error))
        else:
            if result != content(number):
                failures.append(f"{number} is wrong")
        with locked(folder / _LOCK):
            if sum(each.size for each in _cached_files(folder)) > 5 * SIZE:
                failures.append("too large")
    answers.put(failures)


def test_processes_share_and_are_killed(tmp_path) -> None:
    """One is killed while it writes: another finishes what it began."""
    context = multiprocessing.get_context("fork")
    answers, begun = context.SimpleQueue(), context.SimpleQueue()

    def hang(fd: int) -> None:
        os.pwrite(fd, content(3)[:400], 0)
        begun.put(None)
        threading.Event().wait(60)

    victim = context.Process(target=fetch, args=(Cache(tmp_path, 5 * SIZE), 3, hang))
    victim.start()
    begun.get()
    crowd = [context.Process(target=_crowd, args=(tmp_path, seed, answers)) for seed in range(4)]
    for process in crowd:
        process.start()
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    assert [answers.get() for _ in crowd] == [[]] * 4
    for process in [victim, *crowd]:
        process.join(60)
    assert [process.exitcode for process in crowd] == [0] * 4
    assert taken(Cache(tmp_path, 5 * SIZE)) <= 5 * SIZE
    assert not list(tmp_path.glob("*.part"))


def test_a_forked_child_holds_no_lock(tmp_path) -> None:
    cache = Cache(tmp_path, 10 * SIZE)
    context = multiprocessing.get_context("fork")
    release = context.Event()
    children = []

    def fork(_fd: int) -> None:
        children.append(context.Process(target=release.wait, args=(60,)))
        children[0].start()
        raise StoppedError

    with pytest.raises(StoppedError):
        fetch(cache, 1, fork)
    assert take(cache, 1) == content(1)  # it would wait for the child
    release.set()
    children[0].join()


def test_folders_that_cannot_be(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LoadError, match="cannot be the folder of a cache: Not a directory"):
        Cache(tmp_path / "file" / "cache")
    with pytest.raises(LoadError, match="a cache of 0 bytes; expected more than 0"):
        Cache(tmp_path, 0)
