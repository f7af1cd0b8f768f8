"""Bytes of files at a URL, through obstore."""

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from shards.errors import CorruptShardError, LoadError
from shards.load.remote_connection import connect
from shards.load.remote_errors import explain, is_cut, public

T = TypeVar("T")
CHUNK = 1 << 20
_CUTS = 4
"""Times that an answer may break off with nothing new in it."""


class RemoteStore:
    """The files below one URL.

    Attributes:
        where: the URL without user, password and query.
    """

    def __init__(self, url: str) -> None:
        """Nothing is asked yet.

        Raises:
            LoadError: if the URL is not understood, or obstore is not installed.
        """
        self.where = public(url)
        self._store = connect(url, self.where)

    def __repr__(self) -> str:
        return f"RemoteStore({self.where!r})"

    def read(self, name: str, offset: int, size: int) -> Any:
        """Some bytes of a file: fewer where it ends.

        Raises:
            CorruptShardError: if there is no such file, or it ends before.
            LoadError: if the server does not answer or refuses.
        """
        import obstore

        return self._ask(
            name, offset, lambda: obstore.get_range(self._store, name, start=offset, length=size)
        )

    def size(self, name: str) -> int:
        """Bytes of a file. Asks for its first byte: who may read may not always ask for less."""
        import obstore

        options: Any = {"range": (0, 1)}
        size: int = self._ask(
            name, 0, lambda: obstore.get(self._store, name, options=options).meta["size"]
        )
        return size

    def whole(self, name: str) -> bytes:
        """A small file."""
        import obstore

        return self._ask(name, 0, lambda: bytes(obstore.get(self._store, name).bytes()))

    def stream(self, name: str, start: int, size: int) -> Iterator[bytes]:
        """A file in pieces, to its end. A connection that is cut is taken up where it was.

        Args:
            name: of the file.
            start: its first byte that is wanted.
            size: bytes of all of it.

        Raises:
            CorruptShardError: if there is no such file, or it is of another size.
            LoadError: if the server does not answer or refuses.
        """
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.where}/{name}")
        at, cuts = start, 0
        while at < size:
            before = at
            try:
                for piece in self._pieces(name, at, size):
                    yield piece
                    at, cuts = at + len(piece), 0
            except (BaseError, OSError, ValueError) as error:
                problem, again = explain(f"{self.where}/{name}", at, error), is_cut(error)
            else:
                if at > before:
                    continue
                problem, again = LoadError(f"{self.where}/{name}, byte {at}: no bytes came"), True
            cuts += 1
            if cuts > _CUTS or not again:
                raise problem
            _wait(cuts)

    def _pieces(self, name: str, start: int, size: int) -> Iterator[bytes]:
        import obstore

        options: Any = {"range": (start, size)}
        found = obstore.get(self._store, name, options=options)
        if found.meta["size"] != size:
            raise CorruptShardError(
                f"{self.where}/{name}, byte {min(found.meta['size'], size)}: expected {size} bytes "
                f"in all, found {found.meta['size']}; copy it there again"
            )
        return map(bytes, found.stream(min_chunk_size=CHUNK))

    def _ask(self, name: str, offset: int, ask: Callable[[], T]) -> T:
        from obstore.exceptions import BaseError

        _refuse_forked(f"{self.where}/{name}")
        for cuts in range(1, _CUTS + 2):
            try:
                return ask()
            except (BaseError, OSError, ValueError) as error:
                problem, again = explain(f"{self.where}/{name}", offset, error), is_cut(error)
            if cuts > _CUTS or not again:
                break
            _wait(cuts)
        raise problem


_process: list[int] = []
"""The process in which obstore's threads are."""


def _refuse_forked(file: str) -> None:
    """A forked child would wait for ever for threads that only its parent has."""
    if not _process:
        _process.append(os.getpid())
    if _process[0] != os.getpid():
        raise LoadError(
            f"{file}: this process was forked from one that had read from a URL, and cannot; start "
            f"workers with multiprocessing_context='spawn' or 'forkserver', or use threads"
        )


def _wait(cuts: int) -> None:
    time.sleep(random.uniform(0.1, 0.3) * 2**cuts)  # noqa: S311 - no secret
