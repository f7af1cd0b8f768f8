"""The compiled reader gives what Python gives, and leaves damaged or missing samples to it."""

import os
from pathlib import Path

import numpy as np
import pytest
from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError
from shards.load.batches import LoaderOptions
from tests.loading import make_loader, write_split

native = pytest.importorskip("shards.load.reading._read", reason="not compiled on this machine")
ALL_TAKEN = 2**31 - 1


LONG = [*range(4000, 4200), 8191, 8192, 8193, 80_000, 131_071, 131_073, 1_000_003]


def test_the_checksum_is_xxh3() -> None:
    """Every length up to two blocks of XXH3, whose borders are at 16, 128, 240 and 1024 bytes."""
    data = np.random.default_rng(0).bytes(1_100_000)
    for size in [*range(2200), *LONG]:
        start = size % 67  # no alignment is needed
        piece = data[start : start + size]
        assert native.xxh3_64(piece) == xxh3_64_intdigest(piece), size


def test_samples_of_any_size_are_compared(tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes(1000)
    (tmp_path / "file").write_bytes(data)
    sizes = np.array([0, 1, 16, 240, 241, 502])
    offsets = np.cumsum(sizes) - sizes
    pieces = [data[at : at + size] for at, size in zip(offsets, sizes, strict=True)]
    checksums = np.array([xxh3_64_intdigest(piece) for piece in pieces], np.uint64)
    out = np.zeros(1000, np.uint8)
    with (tmp_path / "file").open("rb") as file:
        assert read(offsets, sizes, checksums, out, file.fileno()) == 6
    assert out.tobytes() == data
    assert native.view([memoryview(data)] * 6, offsets, sizes, checksums) == pieces


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes: negative"):
        read(np.array([0]), np.array([-1]), None, np.empty(0, np.uint8))


def read(offsets, sizes, checksums, out, fd=0):
    files = np.full(len(offsets), fd, np.int32)
    return native.read(files, offsets, sizes, checksums, out)


@pytest.mark.parametrize("wrong", ["sizes", "checksums", "out"])
def test_arrays_that_do_not_fit_are_refused(wrong: str) -> None:
    arrays = {
        "offsets": np.zeros(2, np.int64),
        "sizes": np.full(2, 1024),
        "checksums": np.zeros(2, np.uint64),
        "out": np.zeros(2048, np.uint8),
    }
    arrays[wrong] = arrays[wrong][:-1]
    with pytest.raises(ValueError, match=f"{wrong}: expected"):
        read(*arrays.values())


def test_what_is_not_in_the_page_cache_is_the_same(tmp_path: Path) -> None:
    """Most of the file is dropped from the page cache first, if the system can do that."""
    data = np.random.default_rng(0).bytes(1 << 22)
    path = tmp_path / "file"
    path.write_bytes(data)
    order = np.random.default_rng(1).permutation(16)
    offsets, sizes = order * (1 << 18), np.full(16, 1 << 18)
    checksums = [xxh3_64_intdigest(data[at : at + (1 << 18)]) for at in offsets]
    out = np.zeros(1 << 22, np.uint8)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 100_000, 0, os.POSIX_FADV_DONTNEED)
        assert read(offsets, sizes, np.array(checksums, np.uint64), out, file.fileno()) == 16
    assert out.tobytes() == b"".join(data[at : at + (1 << 18)] for at in offsets)


def test_it_stops_at_the_first_damaged_sample(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(4096)
    path = tmp_path / "file"
    path.write_bytes(data)
    offsets, sizes = np.array([2048, 0, 1024, 3072]), np.array([1024, 1024, 1024, 1024])
    pieces = [data[at : at + 1024] for at in offsets]
    checksums = np.array([xxh3_64_intdigest(piece) for piece in pieces], np.uint64)
    out = np.zeros(4096, np.uint8)
    with path.open("rb") as file:
        assert read(offsets, sizes, checksums, out, file.fileno()) == 4
        assert out.tobytes() == b"".join(pieces)
        checksums[2] += 1
        assert read(offsets, sizes, checksums, out, file.fileno()) == 2
        assert read(offsets, sizes, None, out, file.fileno()) == 4
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        offsets[1] = -1  # to the system: where the file was read last
        assert read(offsets, sizes, None, out, file.fileno()) == 1
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
        offsets[1] = 3073  # the file ends early
        assert read(offsets, sizes, None, out, file.fileno()) == 1
    assert read(offsets, sizes, None, out, fd=ALL_TAKEN) == 0


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_loader_gives_the_same_without_it(tmp_path, monkeypatch, threads: int) -> None:
    write_split(tmp_path, [7, 20, 5])
    taken = read_all(tmp_path, threads)
    monkeypatch.setattr("shards.load.reading.reader.COMPILED", False)
    assert read_all(tmp_path, threads) == taken


def read_all(folder: Path, threads: int) -> list[list[tuple[str, bytes]]]:
    loader = make_loader(folder, 4, options=LoaderOptions(threads=threads))
    batches = [[(raw.key, bytes(raw.data)) for raw in batch] for batch in loader]
    loader.close()
    return batches


@pytest.mark.parametrize("compiled", [True, False])
def test_damage_is_named_by_both_readers(tmp_path, monkeypatch, compiled: bool) -> None:  # noqa: FBT001
    monkeypatch.setattr("shards.load.reading.reader.COMPILED", compiled)
    write_split(tmp_path, [6])
    [tar] = tmp_path.glob("*.tar")
    data = bytearray(tar.read_bytes())
    data[520] ^= 1
    tar.write_bytes(data)
    loader = make_loader(tmp_path, 2, shuffle=False)
    with pytest.raises(CorruptShardError, match=r"small-train-000000\.tar, byte 0: the sample"):
        list(loader)
    loader.close()
    skipping = make_loader(tmp_path, 2, shuffle=False, options=LoaderOptions(threads=0, skip=1))
    assert [len(batch) for batch in skipping] == [1, 2, 2]
    skipping.close()
