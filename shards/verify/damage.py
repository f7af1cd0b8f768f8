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

from shards.index import Writer
from shards.tar import END

_CHUNK = 1 << 22
_Place = tuple[str, int, int, int]
"""(key, offset, size, checksum) of a sample."""


def find_damage(tar: Path, rows: pa.Table) -> Iterator[tuple[int, str]]:
    """(offset, problem) of every stretch of a tar that is not what its sound rows say."""
    columns = [rows.column(name).to_pylist() for name in ("key", "offset", "size", "checksum")]
    end = 0
    with tar.open("rb") as stream:

        def is_whole(place: _Place) -> bool:
            _, offset, size, checksum = place
            stream.seek(offset)
            return xxh3_64_intdigest(stream.read(size)) == checksum

        for whole, group in groupby(zip(*columns, strict=True), is_whole):
            places = list(group)
            (first, start, _, _), (last, offset, size, _) = places[0], places[-1]
            end = offset + size
            if not whole:
                keys = first if first == last else f"{first} to {last}"
                yield start, f"{keys}, up to byte {end:,}: not what was written"
        stream.seek(end)
        if stream.read(len(END) + 1) != END:
            yield end, "does not end with two empty blocks"


def difference(path: Path, content: bytes | Writer) -> int | None:
    """Where a file of an index first differs from what would be written; None if nowhere.

    Raises:
        CorruptShardError: if the format has no file for these shards.
        OSError: if one that is made aside for this cannot be.
    """
    with path.open("rb") as stream:
        if isinstance(content, bytes):
            return _first_difference(stream, io.BytesIO(content))
        with TemporaryDirectory(prefix="glamm-shards-") as folder:
            aside = Path(folder) / path.name
            content(aside)
            with aside.open("rb") as other:
                return _first_difference(stream, other)


def _first_difference(one: BinaryIO, other: BinaryIO) -> int | None:
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
