"""Open files by name, at most so many, which threads read at once."""

import os
from collections.abc import Callable
from itertools import count
from threading import Lock
from weakref import WeakSet

OPEN_FILES = 128
"""Files that one split keeps open; each costs a descriptor, of which 1024 are usually allowed."""


class OpenFile:
    """A descriptor that is closed when nobody refers to it any more, not while one reads.

    Attributes:
        fd: the descriptor.
        used: when it was read last, as its owner counts.
    """

    __slots__ = ("fd", "used")

    def __init__(self, fd: int, used: int = 0) -> None:
        self.fd, self.used = fd, used

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.fd)


class Descriptors:
    """Open files by name. A file that is open is read without a lock."""

    def __init__(self, opener: Callable[[str], int], most: int = OPEN_FILES) -> None:
        """Begin with none.

        Args:
            opener: gives a descriptor, which is then ours to close.
            most: files that stay open.
        """
        self._opener, self._most = opener, most
        self._now = count()
        self.forget()
        _of_this_process.add(self)

    def forget(self) -> None:
        """Close all that nobody is reading."""
        self._files: dict[str, OpenFile] = {}
        self._lock = Lock()
        self._before = 0

    def read(self, name: str, offset: int, out: memoryview) -> int:
        """Bytes read into `out`: fewer than it has only where the file ends."""
        file = self._files.get(name) or self.open(name, self._opener)
        file.used = next(self._now)
        found = os.preadv(file.fd, (out,), offset)
        while found < len(out):  # a signal, or more than 2 GiB
            more = os.preadv(file.fd, (out[found:],), offset + found)
            if not more:
                break
            found += more
        return found

    def open(self, name: str, opener: Callable[[str], int]) -> OpenFile:
        """Open a file, unless it is. The one that was not read for longest may be closed for it."""
        file = self._files.get(name)
        if file is not None:
            return file
        file = OpenFile(opener(name), next(self._now))
        with self._lock:
            if name in self._files:
                return self._files[name]
            if len(self._files) >= self._most:
                del self._files[min(self._files, key=lambda each: self._files[each].used)]
            self._files[name] = file
        return file

    def close_unused(self) -> None:
        """Close those that were not read since this was last called."""
        with self._lock:
            unused = [name for name, file in self._files.items() if file.used < self._before]
            for name in unused:
                del self._files[name]
            self._before = next(self._now)


_of_this_process: WeakSet[Descriptors] = WeakSet()


def _begin_child() -> None:
    """In a forked child, locks may be held by threads that are not there."""
    for each in list(_of_this_process):
        each.forget()


os.register_at_fork(after_in_child=_begin_child)
