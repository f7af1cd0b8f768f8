"""One shard: its bytes, its members, its samples, its row in every file beside it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from xxhash import xxh3_64

from shards.checksum import hash_bytes, hash_file
from shards.classes import read_classes
from shards.errors import CorruptShardError, SampleError
from shards.index.samples import Rows, read_rows
from shards.layout import from_members
from shards.manifest import ShardInfo, encode
from shards.sample import Sample, check
from shards.tar import BLOCK, Entry, group_members, member_bytes, split_name
from shards.verify.damage import find_damage
from shards.verify.finding import Finding, shard_again
from shards.verify.pixels import check_pixels

_REJECTS = ".rejects.jsonl"
_CHUNK = 1 << 22


def check_record(folder: Path, info: ShardInfo) -> Iterator[Finding]:
    """The files beside a tar, and its size; reads no tar."""
    again = shard_again(info.name)
    tar = folder / f"{info.name}.tar"
    size = tar.stat().st_size if tar.is_file() else None
    if size is None:
        yield Finding(tar.name, "is missing", again)
    elif size != info.bytes:
        problem = f"has {size} bytes, its record says {info.bytes}"
        yield Finding(tar.name, problem, again, min(size, info.bytes))
    record = folder / f"{info.name}.json"
    if not record.is_file() or record.read_bytes() != encode(info):
        yield Finding(record.name, "is missing, or not what the manifest says of the shard", again)
    for name, expected in info.files.items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, "is missing", again)
        elif hash_bytes(path.read_bytes()) != expected:
            yield Finding(name, "is not what was written with its shard", again)
    if info.samples + info.tally.lost != info.tally.items:
        yield Finding(record.name, f"{info.samples} samples do not fit {info.tally}", again)
    lines = folder / f"{info.name}{_REJECTS}"
    rows = len(lines.read_bytes().splitlines()) if lines.is_file() else 0
    if rows != info.tally.lost:
        problem = f"has {rows} rows for {info.tally.lost} items that became no sample"
        yield Finding(lines.name, problem, again)


def check_shard(folder: Path, info: ShardInfo, number: int, *, deep: bool) -> Iterator[Finding]:
    """Read a whole shard: hash, headers, annotations, rows; with `deep` its pixels, too."""
    again = shard_again(info.name)
    tar, file = folder / f"{info.name}.tar", folder / f"{info.name}.arrow"
    if not tar.is_file():
        return  # told already
    try:
        # Arrow believes a damaged file.
        sound = file.is_file() and hash_file(file) == info.files.get(file.name)
        if _sha256(tar) != info.sha256:
            yield Finding(tar.name, "its sha256 is not its record's", again)
            for offset, problem in find_damage(tar, read_rows(file)) if sound else ():
                yield Finding(tar.name, problem, again, offset)
            return
        rows = Rows(number)
        classes = {row.id: row.name for row in read_classes(folder)} if deep else {}
        samples = 0
        for sample, entry in _read(tar):
            samples += 1
            rows.add(check(sample), entry)
            for offset, problem in check_pixels(sample, entry, classes) if deep else ():
                yield Finding(tar.name, problem, again, offset)
        if samples != info.samples:
            problem = f"holds {samples} samples, its record says {info.samples}"
            yield Finding(tar.name, problem, again)
        if sound and not read_rows(file).equals(rows.table()):
            yield Finding(file.name, "its rows are not those of the tar", again)
    except (CorruptShardError, SampleError, msgspec.DecodeError, OSError) as error:
        yield Finding(tar.name, str(error), again)


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _read(tar: Path) -> Iterator[tuple[Sample, Entry]]:
    """Samples and where they lie, checksums computed anew; headers must be the ones we write."""
    end = 0
    for key, members in group_members(tar):
        start, checksum = end, xxh3_64()
        for member, content in members:
            for part in member_bytes(member.name, content):
                checksum.update(part)
            end = member.offset + -(-member.size // BLOCK) * BLOCK
        places = tuple(member for member, _ in members)
        contents = {split_name(member.name)[1]: content for member, content in members}
        yield (
            from_members(key, contents),
            Entry(key, start, end - start, checksum.intdigest(), places),
        )
