"""Where in a file the damage is."""

import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from shards.index import WriteFile
from shards.tar import END

_CHUNK = 1 << 22
_Position = tuple[str, int, int, int]
"""(key, offset, size, checksum) of a sample."""


def find_damage(tar: Path, rows: pa.Table) -> Iterator[tuple[int, str]]:
    """(offset, problem) of every stretch of samples whose bytes do not match their checksums.

    Args:
        tar: of a shard.
        rows: of our own index; they must be undamaged.
    """
    columns = [rows.column(name).to_pylist() for name in ("key", "offset", "size", "checksum")]
    end = 0
    with tar.open("rb") as stream:

        def is_intact(position: _Position) -> bool:
            _, offset, size, checksum = position
            stream.seek(offset)
            return xxh3_64_intdigest(stream.read(size)) == checksum

        for intact, group in groupby(zip(*columns, strict=True), is_intact):
            positions = list(group)
            (first, start, _, _), (last, offset, size, _) = positions[0], positions[-1]
            end = offset + size
            if not intact:
                keys = first if first == last else f"{first} to {last}"
                yield start, f"{keys}, up to byte {end:,}: not what was written"
        stream.seek(end)
        if stream.read(len(END) + 1) != END:
            yield end, "does not end with two empty blocks"


def first_difference(path: Path, content: bytes | WriteFile) -> int | None:
    """Offset of the first byte of an index file that is not as expected; None if all are.

    Raises:
        CorruptShardError: if the format cannot represent these shards.
        OSError: if a large file cannot be written to a temporary folder for comparison.
    """
    with path.open("rb") as stream:
        if isinstance(content, bytes):
            return _compare_streams(stream, io.BytesIO(content))
        with TemporaryDirectory(prefix="glamm-shards-") as folder:
            expected = Path(folder) / path.name
            content(expected)
            with expected.open("rb") as other:
                return _compare_streams(stream, other)


def _compare_streams(one: BinaryIO, other: BinaryIO) -> int | None:
    start = 0
    while True:
        first, second = one.read(_CHUNK), other.read(_CHUNK)
        if first != second:
            common = min(len(first), len(second))
            same = np.frombuffer(first, np.uint8, common) == np.frombuffer(second, np.uint8, common)
            return start + (common if same.all() else int(same.argmin()))
        if not first:
            return None
        start += len(first)
