"""Mapped files give what reading gives; a file with anything wrong is read instead."""

import mmap
import os
import shutil
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError
from shards.load.batches import LoaderOptions
from shards.load.storage.files import is_in_page_cache
from shards.sample import EncodedImage, Sample, Size
from tests.loading import make_loader, make_sample, write_split

native = pytest.importorskip("shards.load.reading._read", reason="not compiled on this machine")
MAPPED = LoaderOptions(threads=0, mmap=True)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    folder = write_split(tmp_path / "split", [7, 20, 5])
    with (folder / "small-train-000000.tar").open("rb") as file:
        if not is_in_page_cache(file.fileno(), 1024):
            pytest.skip("this file system cannot tell what is in the page cache")
    return folder


def is_mapped(batch) -> bool:
    """Whether its bytes are a file's own."""
    [mapped] = {isinstance(raw.data.obj, mmap.mmap) for raw in batch}
    return mapped


@pytest.mark.parametrize("size", [1, 241, 1024, 1025, 2048, 8192, 16_384, 17_409, 40_000])
def test_samples_are_given_up_to_the_first_damaged_one(size: int) -> None:
    data = np.random.default_rng(size).bytes(3 * size)
    file, offsets = memoryview(data), np.array([size, 0, 2 * size])
    sizes = np.full(3, size)
    samples = [data[at : at + size] for at in offsets]
    checksums = np.array([xxh3_64_intdigest(each) for each in samples], np.uint64)
    assert native.view([file] * 3, offsets, sizes, checksums) == samples
    for wrong in range(3):
        changed = checksums.copy()
        changed[wrong] ^= np.uint64(1)
        assert native.view([file] * 3, offsets, sizes, changed) == samples[:wrong]
        assert native.view([file] * 3, offsets, sizes, None) == samples
    shorter = memoryview(data)[:-1]
    for given in (checksums, None):
        assert native.view([shorter] * 3, offsets, sizes, given) == samples[:2]
    assert native.view([], offsets[:0], sizes[:0], checksums[:0]) == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"checksums": [0, 0]}, ValueError, "checksums: expected 8 bytes"),
        ({"offsets": []}, ValueError, "offsets: expected 8 bytes"),
        ({"sizes": [1, 2]}, ValueError, "sizes: expected 8 bytes"),
        ({"sizes": [-300]}, ValueError, "negative"),
        ({"offsets": [-1]}, ValueError, "negative"),
        ({"offsets": [2**63 - 1]}, ValueError, "sum too large"),
        ({"files": [None]}, TypeError, "NoneType"),
        ({"files": [[0] * 300]}, TypeError, "bytes-like object is required"),
        ({"files": (bytes(300),)}, TypeError, "must be list, not tuple"),
    ],
)
def test_arguments_that_are_refused(wrong, error, message: str) -> None:
    given = {"files": [bytes(300)], "offsets": [0], "sizes": [300], "checksums": [0], **wrong}
    arrays = (np.array(given[name], np.int64) for name in ("offsets", "sizes"))
    with pytest.raises(error, match=message):
        native.view(given["files"], *arrays, np.array(given["checksums"], np.uint64))


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("check", [True, False])
def test_samples_are_the_same_and_not_copied(split, threads: int, check: bool) -> None:  # noqa: FBT001
    options = LoaderOptions(threads=threads, mmap=True, check=check)
    read, mapped = make_loader(split, 4), make_loader(split, 4, options=options)
    for _ in range(3):
        for copied, batch in zip(read, mapped, strict=True):
            assert is_mapped(batch)
            assert not is_mapped(copied)
            assert [(raw.key, raw.data) for raw in batch] == [(r.key, r.data) for r in copied]
            assert all(raw.data.readonly for raw in batch)


def with_photo(number: int) -> Sample:
    """A sample whose photo can be decoded."""
    photo = Image.effect_noise((40, 30), 10.0 * (number + 1)).convert("RGB")
    photo.save(stored := BytesIO(), "JPEG")
    image = EncodedImage(stored.getvalue(), "jpg", Size(30, 40))
    return msgspec.structs.replace(make_sample(number), image=image, original_size=image.size)


def test_photos_are_decoded_from_mapped_files(tmp_path: Path) -> None:
    write_split(tmp_path, [5, 3], make=with_photo)

    def pixels(options: LoaderOptions):
        loader = make_loader(tmp_path, 4, options=options, decode="cpu")
        return [
            (each.sample.key, each.image.tolist()) for batch in loader for each in batch.samples
        ]

    assert pixels(MAPPED) == pixels(LoaderOptions(threads=0))


def test_without_the_compiled_reader_it_reads(split, monkeypatch) -> None:
    monkeypatch.setattr("shards.load.reading.mmap.COMPILED", False)
    assert not any(map(is_mapped, make_loader(split, 4, options=MAPPED)))


def test_what_is_not_in_the_page_cache_is_read_until_it_is(split, monkeypatch) -> None:
    loader = make_loader(split, 4, options=MAPPED)
    monkeypatch.setattr("shards.load.reading.mmap.is_in_page_cache", lambda _fd, _size: False)
    assert not any(map(is_mapped, loader))
    monkeypatch.undo()
    assert all(map(is_mapped, loader))


def test_a_file_cut_short_between_batches_is_an_error(split) -> None:
    """Without the check of its size, the system would end the process."""
    loader = make_loader(split, 2, shuffle=False, options=MAPPED)
    batches = iter(loader)
    next(batches)
    os.truncate(split / "small-train-000000.tar", 0)
    with pytest.raises(CorruptShardError, match=r"small-train-000000\.tar, byte \d+: expected"):
        next(batches)


def test_damage_is_named(split) -> None:
    tar = split / "small-train-000000.tar"
    data = bytearray(tar.read_bytes())
    data[520] ^= 1
    tar.write_bytes(data)
    loader = make_loader(split, 2, shuffle=False, options=MAPPED)
    with pytest.raises(CorruptShardError, match=r"small-train-000000\.tar, byte 0: the sample"):
        list(loader)
    skipping = make_loader(
        split, 2, shuffle=False, options=LoaderOptions(threads=0, mmap=True, skip=1)
    )
    assert [len(batch) for batch in skipping][:3] == [1, 2, 2]
    assert skipping.skipped == 1


@pytest.mark.parametrize("gone", ["missing", "longer"])
def test_a_missing_or_longer_file_is_read_instead(split, gone: str) -> None:
    tar = split / "small-train-000000.tar"
    if gone == "missing":
        tar.unlink()
        with pytest.raises(CorruptShardError, match="No such file"):
            list(make_loader(split, 4, options=MAPPED))
    else:
        with tar.open("ab") as file:
            file.write(bytes(512))
        batches = list(make_loader(split, 7, shuffle=False, options=MAPPED))
        assert [is_mapped(batch) for batch in batches] == [False, True, True, True]


def test_a_replaced_file_is_mapped_in_the_next_epoch(split, tmp_path: Path) -> None:
    loader = make_loader(split, 8, options=MAPPED)
    held = list(loader)
    before = {id(raw.data.obj) for batch in held for raw in batch}
    same = {id(raw.data.obj) for batch in loader for raw in batch}
    assert same == before
    for tar in split.glob("*.tar"):
        shutil.copy(tar, tmp_path / "new")
        (tmp_path / "new").replace(tar)
    again = list(loader)
    assert not before & {id(raw.data.obj) for batch in again for raw in batch}
    assert len(held) == len(again)


def test_a_held_batch_outlives_its_loader(split) -> None:
    loader = make_loader(split, 32, options=MAPPED)
    [batch] = loader
    stored = [bytes(raw.data) for raw in batch]
    loader.close()
    assert not loader._reader._mapped._files
    for tar in split.glob("*.tar"):
        tar.unlink()
    del loader
    assert [bytes(raw.data) for raw in batch] == stored


def test_many_shards_need_few_descriptors(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("shards.load.reading.mmap.max_open_files", lambda: 50)
    write_split(tmp_path, [2] * 200)
    loader = make_loader(tmp_path, 8, options=MAPPED)
    for _ in range(2):
        assert sum(map(len, loader)) == 400
        assert len(loader._reader._mapped._files) == 50
