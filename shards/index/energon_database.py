"""Energon's `index.sqlite`: a row for each sample and each member, for any number of samples.

It is written to a file, since SQLite returns at most 2 GiB as bytes, and in constant memory.
Schema: `flavors/webdataset/indexing.py` of NVIDIA/Megatron-Energon.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from shards.errors import CorruptShardError
from shards.tar import Entry, split_name

_MEBIBYTES = 64
"""Of memory for cached pages, and as much again for sorting; the rest is in files."""
_VERSION_FIELDS = slice(92, 100)
"""In the header: the version of SQLite that wrote last, and a change counter. Set to zero."""
_SETTINGS = """
PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE; PRAGMA encoding = 'UTF-8';
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
PRAGMA temp_store = FILE;
"""
_SCHEMA = """
CREATE TABLE samples (
    tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
    byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (
    tar_file_id INTEGER, sample_index INTEGER, part_name TEXT,
    content_byte_offset INTEGER, content_byte_size INTEGER);
"""
_INDICES = """
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset);
CREATE INDEX idx_sample_parts_full ON sample_parts(
    tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size)
"""


def write_database(shards: Callable[[], Iterable[Sequence[Entry]]], path: Path) -> None:
    """Write the database of some shards, in order.

    The same rows give the same bytes: every setting that depends on the build of SQLite is fixed,
    and the version of the writer is set to zero.

    Args:
        shards: returns the samples of each; one shard is in memory at a time.
        path: of a file that does not exist yet.

    Raises:
        CorruptShardError: if a key occurs more than once, which Energon rejects.
        OSError: if the file cannot be written, for example on a full disk.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            _fill(database, shards())
    except sqlite3.IntegrityError as error:
        raise CorruptShardError(f"{path.name}: a key occurs more than once: {error}") from error
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}") from error
    with path.open("r+b") as stream:
        stream.seek(_VERSION_FIELDS.start)
        stream.write(bytes(_VERSION_FIELDS.stop - _VERSION_FIELDS.start))


def _fill(database: sqlite3.Connection, shards: Iterable[Sequence[Entry]]) -> None:
    cache = f"PRAGMA cache_size = {-int(1024 * _MEBIBYTES)};"
    database.executescript(f"{_SETTINGS} {cache} {_SCHEMA}")
    database.execute("BEGIN")
    for tar, entries in enumerate(shards):
        database.executemany(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?)", _sample_rows(tar, entries)
        )
        database.executemany(
            "INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", _member_rows(tar, entries)
        )
    for statement in _INDICES.split(";"):
        database.execute(statement)
    database.execute("COMMIT")


def _sample_rows(tar: int, entries: Sequence[Entry]) -> Iterator[tuple[int, str, int, int, int]]:
    for number, entry in enumerate(entries):
        yield tar, entry.key, number, entry.offset, entry.size


def _member_rows(tar: int, entries: Sequence[Entry]) -> Iterator[tuple[int, int, str, int, int]]:
    for number, entry in enumerate(entries):
        for member in entry.members:
            yield tar, number, split_name(member.name)[1], member.offset, member.size
