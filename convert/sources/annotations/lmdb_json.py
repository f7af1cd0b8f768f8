"""LMDBs of JSON, the layout of GranD's annotations.

Layout: mbzuai-oryx/groundingLMM, GranD/prepare_annotations/create_lmdb.py. A folder with
`data.mdb`; key: the photo's file name; value: `{<file name>: [...]}`. Text files beside it,
`*_Train.txt` and `*_Val.txt`, list the keys of each split, one per line.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from convert.errors import AnnotationError, SourceLayoutError
from convert.sources.files import DataRoot

DATA_FILE = "data.mdb"


@dataclass(frozen=True, slots=True)
class Keys:
    """The sorted keys of a database by split. Neighbours in the database share a shard.

    Attributes:
        unlisted: number of entries that no list names; they are dropped.
    """

    by_split: Mapping[str, tuple[str, ...]]
    unlisted: int


def read_keys(root: DataRoot, folder: str, lists: Mapping[str, str]) -> Keys:
    """The keys in the lists; without lists, all keys of the database as the first split.

    Args:
        root: of the data.
        folder: of the database.
        lists: split -> suffix of its list's name. A key in several lists belongs to the last of
            them, so that no evaluation photo is in train.

    Raises:
        SourceLayoutError: if the database or a list cannot be read.
    """
    names = root.names(folder, ".txt")
    present = {split: n for split, end in lists.items() for n in names if n.endswith(end)}
    with open_database(root, folder) as database:
        if not present:
            return Keys({next(iter(lists)): tuple(database.list_keys())}, 0)
        by_split: dict[str, tuple[str, ...]] = {}
        listed: set[str] = set()
        for split, name in reversed(present.items()):
            keys = set(_read_list(root, f"{folder}/{name}")) - listed
            by_split[split] = tuple(sorted(keys))
            listed |= keys
        unlisted = sum(key not in listed for key in database.list_keys())
    return Keys(by_split, unlisted)


def _read_list(root: DataRoot, path: str) -> list[str]:
    try:
        return root.read_annotation(path).decode().split()
    except UnicodeDecodeError as error:
        raise SourceLayoutError(f"{path}: {error}; expected one key per line") from error


class Database:
    """An open database. Several processes may open it at once."""

    def __init__(self, transaction: lmdb.Transaction, folder: str) -> None:
        self._transaction = transaction
        self._folder = folder

    def list_keys(self) -> Iterator[str]:
        """Every key, in bytewise order."""
        with self._transaction.cursor() as cursor:
            for key in cursor.iternext(keys=True, values=False):
                yield bytes(key).decode("utf-8", "surrogateescape")

    def get(self, key: str) -> list[Any]:
        """The annotations under a key.

        Raises:
            AnnotationError: if there are none, or they do not have the layout.
        """
        try:
            value = self._transaction.get(key.encode("utf-8", "surrogateescape"))
        except lmdb.Error as error:
            raise AnnotationError(f"{self._folder}: {key}: {error}") from error
        if value is None:
            raise AnnotationError(f"{self._folder} has no key {key}")
        try:
            rows = json.loads(bytes(value))
        except (ValueError, RecursionError) as error:
            raise AnnotationError(f"{self._folder}: {key}: not JSON: {error}") from error
        if not isinstance(rows, dict) or not isinstance(rows.get(key), list):
            raise AnnotationError(f"{self._folder}: {key}: expected {{{key!r}: [...]}}")
        return list(rows[key])


@contextmanager
def open_database(root: DataRoot, folder: str) -> Iterator[Database]:
    """Open a database read-only, without a lock file: the disk may be read-only.

    Raises:
        SourceLayoutError: if it is not a database, or cut short.
    """
    path = root.locate(folder)
    if not (path / DATA_FILE).is_file():
        raise SourceLayoutError(f"{folder}: no {DATA_FILE} in it; expected an LMDB")
    try:
        environment = lmdb.open(
            str(path), readonly=True, lock=False, readahead=False, create=False, max_readers=1
        )
    except lmdb.Error as error:
        raise SourceLayoutError(f"{folder}: not an LMDB: {error}") from error
    with environment:
        _expect_whole(environment, path / DATA_FILE, folder)
        with environment.begin() as transaction:
            yield Database(transaction, folder)


def _expect_whole(environment: lmdb.Environment, file: Path, folder: str) -> None:
    """Raise if the file is cut short. LMDB maps the file: reading a missing page is a SIGBUS.

    Raises:
        SourceLayoutError: with the expected and the actual size.
    """
    pages = environment.info()["last_pgno"] + 1
    expected, actual = pages * environment.stat()["psize"], file.stat().st_size
    if actual < expected:
        raise SourceLayoutError(f"{folder} is cut short: {actual:,} of {expected:,} bytes")
