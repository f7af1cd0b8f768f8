"""Plain ustar files: the one place that knows tar.

Reproducible by construction: mtime, owner and mode are constants, members keep their order. Every
header is one 512-byte block; the extended headers that other writers add cost plain webdataset
1.75 times its reading speed, and wids loses keys to them.
"""

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from xxhash import xxh3_64

from shards.errors import CorruptShardError, SampleError

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
"""Two empty blocks close an archive."""
MAX_NAME = 100
"""Bytes of the name field; longer names need a prefix or extended header, which wids misreads."""


_MAX_SIZE = 8**11 - 1
"""Eleven octal digits."""


def _template() -> tuple[bytes, bytes, int]:
    """What is the same in every header: between name and size, after the checksum, and its sum."""
    info = tarfile.TarInfo()
    info.mode = 0o644
    header = info.tobuf(tarfile.USTAR_FORMAT)
    between, after = header[100:124], header[156:]
    return between, after, sum(between) + sum(after) + 8 * ord(" ")


_BETWEEN, _AFTER, _SUM = _template()


@dataclass(frozen=True, slots=True)
class Member:
    """Where one file's bytes lie in a tar: `size` bytes from `offset`; its header ends there."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample in a tar.

    Attributes:
        offset: of its first header.
        size: from there to the end of its last block.
        checksum: xxh3 of these bytes, 64 bits.
        members: in stored order.
    """

    key: str
    offset: int
    size: int
    checksum: int
    members: tuple[Member, ...]


def member_bytes(name: str, content: bytes) -> tuple[bytes, bytes, bytes]:
    """(header, content, padding to a whole block).

    Raises:
        SampleError: if the name is not ASCII or too long for a plain header, or the content is.
    """
    if not name.isascii() or len(name) > MAX_NAME:
        raise SampleError(f"{name!r}: member names are ASCII and at most {MAX_NAME} bytes")
    if len(content) > _MAX_SIZE:
        raise SampleError(f"{name}: {len(content)} bytes, a plain header can say {_MAX_SIZE}")
    raw, size = name.encode(), b"%011o\0" % len(content)
    time = b"00000000000\0"
    checksum = b"%06o\0 " % (_SUM + sum(raw) + sum(size) + sum(time))
    header = raw.ljust(MAX_NAME, b"\0") + _BETWEEN + size + time + checksum + _AFTER
    return header, content, bytes(-len(content) % BLOCK)


def lay_out(
    key: str, members: Iterable[tuple[str, bytes]], offset: int
) -> tuple[list[bytes], Entry]:
    """(bytes of a sample, in parts that are not copied together; where they lie).

    Args:
        key: of the sample.
        members: (extension, content), in the order in which they are stored.
        offset: of the sample in the tar.

    Raises:
        SampleError: if a plain header cannot say it.
    """
    parts: list[bytes] = []
    places: list[Member] = []
    checksum = xxh3_64()
    end = offset
    for extension, content in members:
        name = f"{key}.{extension}"
        for part in member_bytes(name, content):
            parts.append(part)
            checksum.update(part)
        places.append(Member(name, end + BLOCK, len(content)))
        end += BLOCK + len(content) + len(parts[-1])
    return parts, Entry(key, offset, end - offset, checksum.intdigest(), tuple(places))


def read_members(path: Path) -> Iterator[tuple[Member, bytes]]:
    """Yield the members of a tar with their contents, in order.

    Raises:
        CorruptShardError: naming the file if it is missing, cut short or not a tar.
    """
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            end = 0
            for header in tar:
                yield Member(header.name, header.offset_data, header.size), _content(tar, header)
                end = header.offset_data + -(-header.size // BLOCK) * BLOCK
            stream.seek(end)
            if stream.read() != END:
                # tarfile itself takes a file cut at a member's border for a whole one.
                raise CorruptShardError(f"{path}: does not end with two empty blocks at {end}")
    except (OSError, tarfile.TarError, ValueError, OverflowError) as error:
        raise CorruptShardError(f"{path}: {error}") from error


def _content(tar: tarfile.TarFile, header: tarfile.TarInfo) -> bytes:
    plain = header.type in {tarfile.REGTYPE, tarfile.AREGTYPE}
    file = tar.extractfile(header) if plain else None
    if file is None or header.offset_data - header.offset != BLOCK:
        raise tarfile.ReadError(f"{header.name} is not a regular file with a plain header")
    content = file.read()
    if len(content) != header.size:
        raise tarfile.ReadError(f"ends inside {header.name}")
    return content


def group_members(path: Path) -> Iterator[tuple[str, list[tuple[Member, bytes]]]]:
    """Yield (key, members with their contents) of each sample of a tar, in order.

    Raises:
        CorruptShardError: as `read_members`.
    """
    for key, group in groupby(read_members(path), key=lambda pair: split_name(pair[0].name)[0]):
        yield key, list(group)


def read_samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield (key, each member's content by its extension) of each sample of a tar, in order.

    Raises:
        CorruptShardError: as `read_members`.
    """
    for key, members in group_members(path):
        yield key, {split_name(member.name)[1]: content for member, content in members}


def parse_sample(data: memoryview) -> tuple[str, dict[str, bytes]]:
    """(key, each member's content by its extension) of one sample, from its bytes in a tar.

    Args:
        data: from the first header of the sample to the end of its last block.

    Raises:
        CorruptShardError: if a header is damaged; comparing checksums shows that before.
    """
    place, key = 0, ""
    members: dict[str, bytes] = {}
    while place < len(data):
        key, extension = split_name(parse_name(data, place))
        size = _size(data, place)
        place += BLOCK
        members[extension] = bytes(data[place : place + size])
        place += -(-size // BLOCK) * BLOCK
    return key, members


def parse_name(data: memoryview, place: int) -> str:
    """The member name in the header at an offset.

    Raises:
        CorruptShardError: if it is not ASCII.
    """
    try:
        return bytes(data[place : place + MAX_NAME]).rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise _damaged(place, "a name") from error


def _size(data: memoryview, place: int) -> int:
    digits = bytes(data[place + 124 : place + 135])
    try:
        size = int(digits, 8)
    except ValueError as error:
        raise _damaged(place, "a size") from error
    if not 0 <= size <= len(data) - place - BLOCK:
        raise _damaged(place, "a size")
    return size


def _damaged(place: int, what: str) -> CorruptShardError:
    return CorruptShardError(
        f"byte {place} of a sample: expected a tar header with {what}; `python -m shards.verify` "
        f"tells more"
    )


def split_name(name: str) -> tuple[str, str]:
    """Key and extension: the base name is cut at its first dot.

    >>> split_name("ade20k-ADE_train_00000001.labels.png")
    ('ade20k-ADE_train_00000001', 'labels.png')
    """
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension
