"""Plain ustar files: the only module that knows the tar format.

Deterministic: mtime, owner and mode are constants, members keep their order. Every header is one
512-byte block: with the extended headers of other writers plain webdataset reads 1.75 times slower,
and wids loses keys.
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
"""Two empty blocks end an archive."""
MAX_NAME = 100
"""Bytes of the name field; longer names need a prefix or extended header, which wids misreads."""

_MAX_SIZE = 8**11 - 1
"""Largest size that the header holds: eleven octal digits."""


def _template() -> tuple[bytes, bytes, int]:
    """The constant bytes of a header (between name and size, after the checksum), and their sum."""
    info = tarfile.TarInfo()
    info.mode = 0o644
    header = info.tobuf(tarfile.USTAR_FORMAT)
    between, after = header[100:124], header[156:]
    return between, after, sum(between) + sum(after) + 8 * ord(" ")


_BETWEEN, _AFTER, _SUM = _template()


@dataclass(frozen=True, slots=True)
class Member:
    """Position of one file's content in a tar: `size` bytes from `offset`, after its header."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Position of one sample in a tar.

    Attributes:
        offset: of its first header.
        size: of all its blocks, up to the end of the last one.
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
        SampleError: if the name is not ASCII, or name or content are too long for a plain header.
    """
    if not name.isascii() or len(name) > MAX_NAME:
        raise SampleError(f"{name!r}: member names are ASCII and have at most {MAX_NAME} bytes")
    if len(content) > _MAX_SIZE:
        raise SampleError(f"{name}: has {len(content)} bytes, expected at most {_MAX_SIZE}")
    raw, size = name.encode(), b"%011o\0" % len(content)
    time = b"00000000000\0"
    checksum = b"%06o\0 " % (_SUM + sum(raw) + sum(size) + sum(time))
    header = raw.ljust(MAX_NAME, b"\0") + _BETWEEN + size + time + checksum + _AFTER
    return header, content, bytes(-len(content) % BLOCK)


def encode_sample(
    key: str, members: Iterable[tuple[str, bytes]], offset: int
) -> tuple[list[bytes], Entry]:
    """(the bytes of a sample as a list of buffers, to be written one after another; its position).

    Args:
        key: of the sample.
        members: (extension, content), in the order in which they are stored.
        offset: of the sample in the tar.

    Raises:
        SampleError: if a name or content does not fit into a plain header.
    """
    buffers: list[bytes] = []
    positions: list[Member] = []
    checksum = xxh3_64()
    end = offset
    for extension, content in members:
        name = f"{key}.{extension}"
        for buffer in member_bytes(name, content):
            buffers.append(buffer)
            checksum.update(buffer)
        positions.append(Member(name, end + BLOCK, len(content)))
        end += BLOCK + len(content) + len(buffers[-1])
    return buffers, Entry(key, offset, end - offset, checksum.intdigest(), tuple(positions))


def read_members(path: Path) -> Iterator[tuple[Member, bytes]]:
    """Yield the members of a tar with their content, in order.

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
                # tarfile itself accepts a file that was cut between two members.
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
    """Yield (key, members with their content) of each sample of a tar, in order.

    Raises:
        CorruptShardError: see `read_members`.
    """
    for key, group in groupby(read_members(path), key=lambda pair: split_name(pair[0].name)[0]):
        yield key, list(group)


def read_samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield (key, each member's content by its extension) of each sample of a tar, in order.

    Raises:
        CorruptShardError: see `read_members`.
    """
    for key, members in group_members(path):
        yield key, {split_name(member.name)[1]: content for member, content in members}


def parse_sample(data: memoryview) -> tuple[str, dict[str, bytes]]:
    """(key, each member's content by its extension) of one sample, from its bytes in a tar.

    Args:
        data: from the first header of the sample to the end of its last block.

    Raises:
        CorruptShardError: if a header is damaged. Compare the checksum first to find all damage.
    """
    offset, key = 0, ""
    members: dict[str, bytes] = {}
    while offset < len(data):
        key, extension = split_name(parse_name(data, offset))
        size = _parse_size(data, offset)
        offset += BLOCK
        members[extension] = bytes(data[offset : offset + size])
        offset += -(-size // BLOCK) * BLOCK
    return key, members


def parse_name(data: memoryview, offset: int) -> str:
    """The member name in the header at an offset.

    Raises:
        CorruptShardError: if it is not ASCII.
    """
    try:
        return bytes(data[offset : offset + MAX_NAME]).rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise _damaged_header(offset, "a name") from error


def _parse_size(data: memoryview, offset: int) -> int:
    digits = bytes(data[offset + 124 : offset + 135])
    try:
        size = int(digits, 8)
    except ValueError as error:
        raise _damaged_header(offset, "a size") from error
    if not 0 <= size <= len(data) - offset - BLOCK:
        raise _damaged_header(offset, "a size")
    return size


def _damaged_header(offset: int, field: str) -> CorruptShardError:
    return CorruptShardError(
        f"byte {offset} of a sample: expected a tar header with {field}; `python -m shards.verify` "
        f"reports all damage"
    )


def split_name(name: str) -> tuple[str, str]:
    """(key, extension) of a member name: the base name is cut at its first dot.

    >>> split_name("ade20k-ADE_train_00000001.labels.png")
    ('ade20k-ADE_train_00000001', 'labels.png')
    """
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension
