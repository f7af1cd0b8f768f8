"""The speed of writing tars, and of reading them with plain webdataset.

Samples of 100 kB with three members, written by webdataset, by the standard library and by this
project: with a checksum of each sample, with the sha256 of the tar as well, and synced to the disk.
The steps are also timed one by one. The page cache is warm; every way writes new files, and old
ones are deleted in between.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import numpy as np
import webdataset
import xxhash
from cyclopts import App
from cyclopts.types import PositiveInt

from bench.harness.command import Claim, Section, measure, publish
from bench.harness.measure import Ways
from shards.layout import check_sample, to_members
from shards.manifest import Tally
from shards.sample import EncodedImage, LabelMap, Region, Rle, Sample, Size
from shards.tar import END, Entry, encode_sample, member_bytes
from shards.writer import BATCH, HashedStream, ShardWriter, write

app = App(help=__doc__)
PHOTO, LABELS, COUNTS, REGIONS = 88_000, 8_000, 190, 20
"""Bytes of a photo, a label map and a mask, and the number of masks: 4 kB of annotations."""
EACH, WHOLE = "ours, checksum of each sample", "ours, and sha256 of the tar"
OURS, THEIRS = "ours, as the job writes: on the disk", "webdataset TarWriter"
SAFE = "webdataset TarWriter, then sha256 and fsync"
READ_OURS, READ_THEIRS = "webdataset reads ours", "webdataset reads its own"
CLAIMS = (
    Claim("tarfile", THEIRS),
    Claim(EACH, THEIRS, 4.5),
    Claim(EACH, "tarfile"),
    Claim(WHOLE, THEIRS),
    Claim(OURS, THEIRS),
    Claim(OURS, SAFE),
)
_NAME = "bench-000000"
Members = Sequence[tuple[str, bytes]]


def make_sample(number: int) -> Sample:
    """A sample of the right size. Its bytes are random: nothing here decodes them."""
    rng, size = np.random.default_rng(number), Size(683, 1024)
    regions = [
        Region(phrases=(f"thing {n}",), mask=Rle(size, rng.bytes(COUNTS))) for n in range(REGIONS)
    ]
    return Sample(
        key=f"bench-{number:06d}",
        image=EncodedImage(rng.bytes(PHOTO), "jpg", size),
        original_size=size,
        file=f"{number}.jpg",
        regions=tuple(regions),
        labels=LabelMap(rng.bytes(LABELS), "noise"),
    )


def writing(samples: Sequence[Sample], folder: Path) -> Ways:
    """The ways to write all samples to one tar, and the steps of ours."""
    members = [(sample.key, to_members(sample)) for sample in samples]
    flat = [(f"{key}.{name}", content) for key, parts in members for name, content in parts]
    as_dicts = [{"__key__": key, **dict(parts)} for key, parts in members]
    whole = [b"".join(content for _, content in parts) for _, parts in members]
    return {
        THEIRS: partial(_write_webdataset, as_dicts, folder / "webdataset.tar"),
        SAFE: partial(_write_safely, as_dicts, folder / "safe.tar"),
        "tarfile": partial(_write_tarfile, flat, folder / "tarfile.tar"),
        EACH: partial(_write_members, members, folder / "each.tar"),
        WHOLE: partial(_write_hashed, members, folder / "hashed.tar"),
        OURS: partial(_write_ours, samples, folder / "ours"),
        "part: check and msgpack": partial(_make_members, samples),
        "part: headers": partial(_make_headers, flat),
        "part: xxh3 of each sample": partial(_digest_each, whole),
        "part: sha256 of the tar": partial(_digest_all, whole),
    }


def _write_webdataset(samples: Sequence[Mapping[str, object]], file: Path) -> None:
    with webdataset.TarWriter(str(file)) as tar:
        for sample in samples:
            tar.write(sample)


def _write_safely(samples: Sequence[Mapping[str, object]], file: Path) -> str:
    """webdataset, with the sync and the sha256 that `ShardWriter` has."""
    _write_webdataset(samples, file)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_tarfile(members: Members, file: Path) -> None:
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _write_members(samples: Sequence[tuple[str, Members]], file: Path) -> list[Entry]:
    entries, offset, written = [], 0, 0
    pending: list[bytes] = []
    with file.open("wb", buffering=0) as stream:
        for key, members in samples:
            buffers, entry = encode_sample(key, members, offset)
            pending += buffers
            entries.append(entry)
            offset += entry.size
            if offset - written >= BATCH:
                write(stream.fileno(), pending)
                pending, written = [], offset
        write(stream.fileno(), [*pending, END])
    return entries


def _write_hashed(samples: Sequence[tuple[str, Members]], file: Path) -> str:
    offset, stream = 0, HashedStream(file)
    try:
        for key, members in samples:
            buffers, entry = encode_sample(key, members, offset)
            stream.append(buffers)
            offset += entry.size
        stream.append([END])
        return stream.digest()
    finally:
        stream.close()


def _write_ours(samples: Sequence[Sample], folder: Path) -> None:
    with ShardWriter(folder, _NAME) as shard:
        for sample in samples:
            shard.add(sample)
        shard.commit(task="", tally=Tally(len(samples)))


def _make_members(samples: Sequence[Sample]) -> None:
    for sample in samples:
        to_members(check_sample(sample))


def _make_headers(members: Members) -> None:
    for name, content in members:
        member_bytes(name, content)


def _digest_each(contents: Sequence[bytes]) -> None:
    for content in contents:
        xxhash.xxh3_64_intdigest(content)


def _digest_all(contents: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def sections(samples: Sequence[Sample], folder: Path) -> Iterator[Section]:
    """Writing, then reading the same tars."""
    count, tars = len(samples), folder / "tars"
    ways = writing(samples, tars)
    empty = partial(_empty, tars)
    yield Section("A sample of 100 kB, written", ways, CLAIMS, count, before=empty)
    empty()
    ways[THEIRS]()
    ways[OURS]()
    read: Ways = {
        READ_THEIRS: partial(read_all, tars / "webdataset.tar"),
        READ_OURS: partial(read_all, tars / "ours" / f"{_NAME}.tar"),
    }
    claims = [Claim(READ_OURS, READ_THEIRS, 1.6)]
    yield Section("A sample of 100 kB, read by webdataset", read, claims, count)


def _empty(folder: Path) -> None:
    rmtree(folder, ignore_errors=True)
    folder.mkdir()


def read_all(file: Path) -> list[str]:
    """Keys of all samples, as plain webdataset reads them."""
    return [sample["__key__"] for sample in webdataset.WebDataset(str(file), shardshuffle=False)]


@app.default
def main(*, samples: PositiveInt = 1000, rounds: PositiveInt = 7, json: Path | None = None) -> None:
    """Measure.

    Args:
        samples: in each tar.
        rounds: how often each way is timed.
        json: file for the figures.
    """
    generated = [make_sample(number) for number in range(samples)]
    with TemporaryDirectory() as folder:
        tables = (measure(section, rounds) for section in sections(generated, Path(folder)))
        publish("tar", tables, ("webdataset", "msgspec", "xxhash", "numpy"), json)


if __name__ == "__main__":
    app()
