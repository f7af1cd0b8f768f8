"""LMDBs of JSON, as GranD's annotations are prepared.

Layout: mbzuai-oryx/groundingLMM, GranD/prepare_annotations/create_lmdb.py. A folder with
`data.mdb`; key: the photo's file name; value: `{<file name>: [...]}`. Text files beside it,
`*_Train.txt` and `*_Val.txt`, say which keys belong to which split, one a line.
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
    """The keys of a database by split, sorted: neighbours in the file are neighbours in a shard.

    Attributes:
        unlisted: entries that no list names; they are left out.
    """

    by_split: Mapping[str, tuple[str, ...]]
    unlisted: int


def read_keys(root: DataRoot, folder: str, lists: Mapping[str, str]) -> Keys:
    """The keys that the lists name, or all of them as the first split if there are no lists.

    Args:
        root: of the data.
        folder: of the database.
        lists: split -> how the name of its list ends. A key of several lists belongs to the last
            of them: what is evaluated is not trained on.

    Raises:
        SourceLayoutError: if the database or a list cannot be read.
    """
    names = root.names(folder, ".txt")
    found = {split: n for split, end in lists.items() for n in names if n.endswith(end)}
    with open_database(root, folder) as database:
        if not found:
            return Keys({next(iter(lists)): tuple(database.list_keys())}, 0)
        by_split: dict[str, tuple[str, ...]] = {}
        listed: set[str] = set()
        for split, name in reversed(found.items()):
            keys = set(_read_list(root, f"{folder}/{name}")) - listed
            by_split[split] = tuple(sorted(keys))
            listed |= keys
        unlisted = sum(key not in listed for key in database.list_keys())
    return Keys(by_split, unlisted)


def _read_list(root: DataRoot, path: str) -> list[str]:
    try:
        return root.read_annotation(path).decode().split()
    except UnicodeDecodeError as error:
        raise SourceLayoutError(f"{path}: {error}; expected one key a line") from error


class Database:
    """An open database; several processes may hold it at once."""

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
            AnnotationError: if there are none, or they are not of the layout.
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
    """Open read-only, without a lock file: the folder may be on a disk one cannot write to.

    Raises:
        SourceLayoutError: if it is not a database.
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
    """Raise if the file is cut short: its pages are mapped, and reading a lost one is a SIGBUS.

    Raises:
        SourceLayoutError: saying how much of it is there.
    """
    pages = environment.info()["last_pgno"] + 1
    expected, found = pages * environment.stat()["psize"], file.stat().st_size
    if found < expected:
        raise SourceLayoutError(f"{folder} is cut short: {found:,} of {expected:,} bytes")
