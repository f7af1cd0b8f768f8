"""Checks of one shard: its bytes, members and samples, and the files beside its tar."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from xxhash import xxh3_64

from shards.classes import read_classes
from shards.errors import CorruptShardError, SampleError
from shards.index.samples import Rows, read_rows
from shards.layout import check_sample, from_members
from shards.manifest import ShardInfo, encode_json
from shards.sample import Sample
from shards.storage import hash_bytes, hash_file, rejects_name
from shards.tar import BLOCK, Entry, group_members, member_bytes, split_name
from shards.verify.damage import find_damage
from shards.verify.finding import Finding, rewrite_shard
from shards.verify.pixels import check_pixels

_CHUNK = 1 << 22


def check_record(folder: Path, info: ShardInfo) -> Iterator[Finding]:
    """Check the files beside a tar, and its size, without reading the tar."""
    remedy = rewrite_shard(info.name)
    tar = folder / f"{info.name}.tar"
    size = tar.stat().st_size if tar.is_file() else None
    if size is None:
        yield Finding(tar.name, "is missing", remedy)
    elif size != info.bytes:
        problem = f"has {size} bytes, its record says {info.bytes}"
        yield Finding(tar.name, problem, remedy, min(size, info.bytes))
    record = folder / f"{info.name}.json"
    if not record.is_file() or record.read_bytes() != encode_json(info):
        yield Finding(record.name, "is missing, or differs from the manifest", remedy)
    for name, expected in info.files.items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, "is missing", remedy)
        elif hash_bytes(path.read_bytes()) != expected:
            yield Finding(name, "is not what was written with its shard", remedy)
    lost = info.tally.lost
    if info.samples + lost != info.tally.items:
        problem = f"counts {info.samples} samples and {lost} rejected or filtered items, "
        problem += f"expected {info.tally.items} in all"
        yield Finding(record.name, problem, remedy)
    rejects = folder / rejects_name(info.name)
    rows = len(rejects.read_bytes().splitlines()) if rejects.is_file() else 0
    if rows != lost:
        problem = f"has {rows} rows, expected one for each of {lost} rejected or filtered items"
        yield Finding(rejects.name, problem, remedy)


def check_shard(folder: Path, info: ShardInfo, number: int, *, deep: bool) -> Iterator[Finding]:
    """Read a whole shard and check hash, headers, annotations and rows.

    Args:
        folder: of the split.
        info: the record of the shard.
        number: index of the shard in its split.
        deep: whether to decode photos, masks and label maps, too.
    """
    remedy = rewrite_shard(info.name)
    tar, index = folder / f"{info.name}.tar", folder / f"{info.name}.arrow"
    if not tar.is_file():
        return  # `check_record` reports it
    try:
        # Arrow does not notice damage in a file.
        intact = index.is_file() and hash_file(index) == info.files.get(index.name)
        if _sha256(tar) != info.sha256:
            yield Finding(tar.name, "its sha256 is not the one in its record", remedy)
            for offset, problem in find_damage(tar, read_rows(index)) if intact else ():
                yield Finding(tar.name, problem, remedy, offset)
            return
        rows = Rows(number)
        classes = {row.id: row.name for row in read_classes(folder)} if deep else {}
        samples = 0
        for sample, entry in _read(tar):
            samples += 1
            rows.add(check_sample(sample), entry)
            for offset, problem in check_pixels(sample, entry, classes) if deep else ():
                yield Finding(tar.name, problem, remedy, offset)
        if samples != info.samples:
            problem = f"holds {samples} samples, its record says {info.samples}"
            yield Finding(tar.name, problem, remedy)
        if intact and not read_rows(index).equals(rows.table()):
            yield Finding(index.name, "its rows do not describe the tar", remedy)
    except (CorruptShardError, SampleError, msgspec.DecodeError, OSError) as error:
        yield Finding(tar.name, str(error), remedy)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read(tar: Path) -> Iterator[tuple[Sample, Entry]]:
    """Samples and their positions. Checksums assume the headers that this project writes."""
    end = 0
    for key, members in group_members(tar):
        start, checksum = end, xxh3_64()
        for member, content in members:
            for buffer in member_bytes(member.name, content):
                checksum.update(buffer)
            end = member.offset + -(-member.size // BLOCK) * BLOCK
        positions = tuple(member for member, _ in members)
        contents = {split_name(member.name)[1]: content for member, content in members}
        yield (
            from_members(key, contents),
            Entry(key, start, end - start, checksum.intdigest(), positions),
        )
