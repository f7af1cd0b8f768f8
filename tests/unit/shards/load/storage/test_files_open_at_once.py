"""All loaders together keep few files open; running out of descriptors is not damage."""

import errno
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shards.errors import LoadError
from shards.load.batches import LoaderOptions
from shards.load.mixture import Mixture
from shards.load.storage.files import FilePool, max_open_files
from tests.loading import make_loader, numbers, write_split

SPLITS, SHARDS = 6, 20


@pytest.fixture(params=["compiled", "not compiled"])
def reader(request, monkeypatch) -> None:
    """The reader of the shards."""
    monkeypatch.setattr("shards.load.reading.reader.COMPILED", request.param == "compiled")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def allowed():
    """A function that lets this process open this many files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def allow(more: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + more, before[1]))

    yield allow
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def mixture(tmp_path) -> Mixture:
    for number in range(SPLITS):
        write_split(tmp_path / f"s{number}" / "train", [2] * SHARDS, first=1000 * number)
    return Mixture.of({"mix": {f"s{number}": 1 for number in range(SPLITS)}}, tmp_path)


@pytest.mark.usefixtures("reader")
def test_all_splits_of_a_process_share_one_limit(mixture, monkeypatch) -> None:
    monkeypatch.setattr("shards.load.storage.files.max_open_files", lambda: 30)
    before = descriptors()
    loaders = [make_loader(mixture, 6, seed=seed) for seed in range(2)]
    for batches in zip(*loaders, strict=True):
        assert descriptors() <= before + 30
        assert all(len(batch) == 6 for batch in batches)
    for loader in loaders:
        loader.close()
    assert descriptors() == before


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("mapped", [True, False])
def test_the_limit_of_the_system(mixture, monkeypatch, allowed, mapped: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr("shards.load.storage.files.max_open_files", lambda: 1000)

    def take() -> list[list[int]]:
        loader = make_loader(mixture, 6, options=LoaderOptions(threads=0, mmap=mapped, skip=5))
        taken = [numbers(batch) for batch in loader]
        loader.close()
        return taken

    whole = take()
    allowed(40)
    assert take() == whole


def test_running_out_of_descriptors_is_not_damage(mixture, allowed) -> None:
    loader = make_loader(mixture, 6, options=LoaderOptions(threads=0, skip=1000))
    allowed(0)
    with pytest.raises(LoadError, match=r"Too many open files.*`ulimit -n` allows this process"):
        next(iter(loader))
    assert not loader.skipped


def test_a_mapped_batch_holds_its_files(mixture, allowed) -> None:
    loader = make_loader(mixture, 60, options=LoaderOptions(threads=0, mmap=True, skip=1000))
    allowed(40)
    with pytest.raises(LoadError, match="fewer samples of mapped files"):
        list(loader)
    assert not loader.skipped


def test_other_errors_are_the_openers() -> None:
    def opener(_: str) -> int:
        raise OSError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        FilePool(opener).open("x")


@pytest.mark.usefixtures("allowed")
def test_max_open_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert max_open_files() == 100


def test_closing_while_others_read(tmp_path) -> None:
    for number in range(40):
        (tmp_path / str(number)).write_bytes(b"%02d" % number)
    opened: FilePool[str] = FilePool(lambda name: os.open(tmp_path / name, os.O_RDONLY))

    def read() -> int:
        out, right = bytearray(2), 0
        for turn in range(4000):
            opened.read(str(turn % 40), 0, memoryview(out))
            right += out == b"%02d" % (turn % 40)
        return right

    def close() -> None:
        while not all(reader.done() for reader in readers):
            opened.clear()
            opened.close_unused()

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        pool.submit(close).result()
    assert [reader.result() for reader in readers] == [4000] * 3
