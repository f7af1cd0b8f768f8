"""Where the files of a split are: a folder here, or a URL in `shards.load.remote`."""

import atexit
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol
from weakref import WeakSet

from shards.errors import CorruptShardError
from shards.load.cache import Cache

OPEN_FILES = 128
"""Shards that one split keeps open; each costs a descriptor, of which 1024 are usually allowed."""

_STRETCH = 1 << 17
"""Bytes that the kernel is asked to read at once. It reads no more than its device's read-ahead,
however much is asked for, and 128 KiB is the least that is usual."""


class Files(Protocol):
    """The files of one split, wherever they are.

    Attributes:
        where: folder or URL, for messages; never holds a secret.
    """

    where: str

    def path(self, name: str) -> Path:
        """The whole file, on a local disk; waits until it is there.

        Raises:
            CorruptShardError: if it is elsewhere and missing there, or not what was written.
        """

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on. Threads may do so at once.

        Raises:
            CorruptShardError: naming file and offset, if it is missing or too short.
        """

    def ahead(self, names: Sequence[str]) -> None:
        """Say which whole shards are read next, in that order; returns at once."""

    def close(self) -> None:
        """Let go of files and threads. Reading again opens them again."""


class OpenFile:
    """A descriptor that is closed when nobody refers to it any more, not while one reads."""

    __slots__ = ("fd", "used")

    def __init__(self, fd: int) -> None:
        self.fd, self.used = fd, True

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class Descriptors:
    """Open files by name, at most so many. A file that is open is read without a lock."""

    def __init__(self, opener: Callable[[str], int], most: int = OPEN_FILES) -> None:
        """Begin with none.

        Args:
            opener: gives a descriptor, which is then ours to close.
            most: files that stay open.
        """
        self._opener, self._most = opener, most
        self.forget()
        _of_this_process.add(self)

    def forget(self) -> None:
        """Close all that nobody is reading."""
        self._files: dict[str, OpenFile] = {}
        self._order: deque[str] = deque()
        self._lock = Lock()

    def read(self, name: str, offset: int, out: memoryview) -> int:
        """Bytes read into `out`: fewer than it has only where the file ends."""
        file = self._files.get(name)
        if file is None:
            file = self.open(name)
        file.used = True
        found = os.preadv(file.fd, (out,), offset)
        while found < len(out):  # a signal, or more than 2 GiB
            more = os.preadv(file.fd, (out[found:],), offset + found)
            if not more:
                break
            found += more
        return found

    def open(self, name: str, opener: Callable[[str], int] | None = None) -> OpenFile:
        """Open a file, unless it is. Others may be closed for it, unused ones first."""
        file = self._files.get(name)
        if file is not None:
            return file
        file = OpenFile((opener or self._opener)(name))
        with self._lock:
            if name in self._files:
                return self._files[name]
            self._files[name] = file
            self._order.append(name)
            while len(self._order) > self._most:
                self._turn()
        return file

    def close_unused(self) -> None:
        """Close those that were not read since this was last called."""
        with self._lock:
            for _ in range(len(self._order)):
                self._turn()

    def _turn(self) -> None:
        """Close the first in turn; if it was used, it has another turn instead."""
        name = self._order.popleft()
        if self._files[name].used:
            self._files[name].used = False
            self._order.append(name)
        else:
            del self._files[name]


class Background:
    """Names that few daemon threads work through; the threads end when there is nothing left."""

    def __init__(self, work: Callable[[str, Event], None], most: int) -> None:
        """Begin with none.

        Args:
            work: what is to be done about a name; it should end soon when the event is set.
            most: threads.
        """
        self._work, self._most = work, most
        self.forget()
        _of_this_process.add(self)

    def forget(self) -> None:
        """Forget all names and threads."""
        self._names: deque[str] = deque()
        self._threads: list[Thread] = []
        self._lock, self._stop = Lock(), Event()

    def add(self, names: Sequence[str]) -> None:
        """Work through these as well, after those that are waiting."""
        with self._lock:
            self._names.extend(names)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            for _ in range(min(len(self._names), self._most - len(self._threads))):
                thread = Thread(target=self._run, args=(self._stop,), daemon=True)
                thread.name = "shards-ahead"
                self._threads.append(thread)
                thread.start()

    def stop(self, patience: float = 5.0) -> None:
        """Drop what is waiting, and wait some seconds for what was begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join(patience)
        self.forget()

    def _run(self, stop: Event) -> None:
        while not stop.is_set():
            try:
                name = self._names.popleft()
            except IndexError:
                return
            self._work(name, stop)


class LocalFiles:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._open = Descriptors(self._open_file)
        self._ahead = Background(self._read_ahead, most=1)

    def __repr__(self) -> str:
        return f"LocalFiles({self.where!r})"

    def __reduce__(self) -> tuple[type["LocalFiles"], tuple[Path]]:
        return type(self), (self._folder,)

    def path(self, name: str) -> Path:
        """Where it is; whether it is there is seen by whoever opens it."""
        return self._folder / name

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill `out` with a file's bytes from an offset on."""
        try:
            found = self._open.read(name, offset, out)
        except OSError as error:
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: {error.strerror}; copy the split again, or "
                f"ask `python -m shards.verify {self.where}` what else is missing"
            ) from error
        if found != len(out):
            raise CorruptShardError(
                f"{self.where}/{name}, byte {offset}: expected {len(out)} bytes, the file ends "
                f"after {found}; copy it again, or make it anew with `python -m convert.run`"
            )

    def ahead(self, names: Sequence[str]) -> None:
        """Have the kernel read these while others are worked on."""
        self._ahead.add(names)

    def close(self) -> None:
        """Let go of files and threads."""
        self._ahead.stop()
        self._open.forget()

    def _open_file(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)

    def _read_ahead(self, name: str, stop: Event) -> None:
        """Only a hint: whoever reads the file says what is wrong with it."""
        if not hasattr(os, "posix_fadvise"):
            return
        try:
            fd = self._open_file(name)
        except OSError:
            return
        try:
            for start in range(0, os.fstat(fd).st_size, _STRETCH):
                if stop.is_set():
                    return
                os.posix_fadvise(fd, start, _STRETCH, os.POSIX_FADV_WILLNEED)
        except OSError:
            return
        finally:
            os.close(fd)


def open_files(where: str | Path, *, cache: Cache | None = None) -> Files:
    """The files of a split.

    Args:
        where: a folder, or an http://, https:// or s3:// URL of one.
        cache: for a URL: where whole shards are kept. None asks GLAMM_SHARDS_CACHE and
            GLAMM_SHARDS_CACHE_BYTES; without these, each read is a request.

    Raises:
        CorruptShardError: if a URL has no manifest, or a damaged one.
        LoadError: if a URL is not understood, or its server does not answer or refuses.
    """
    if isinstance(where, str) and "://" in where:
        from shards.load.remote import RemoteFiles

        return RemoteFiles(where, cache or Cache.from_environment())
    return LocalFiles(Path(where))


_of_this_process: WeakSet[Descriptors | Background] = WeakSet()


def _begin_child() -> None:
    """In a forked child there are no threads, and locks may be held by those there were."""
    for each in list(_of_this_process):
        each.forget()


def _end() -> None:
    """Threads that wake up while the interpreter goes down would crash it."""
    for each in list(_of_this_process):
        if isinstance(each, Background):
            each.stop()


os.register_at_fork(after_in_child=_begin_child)
atexit.register(_end)
