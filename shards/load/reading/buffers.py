"""Memory that is used again: fresh pages cost more than reading into old ones."""

import os
import sys
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_ROUND = 1 << 16
"""Less than this comes from memory that Python itself uses again."""


class Allocator(Protocol):
    """Where memory for samples comes from."""

    def take(self, size: int) -> Bytes:
        """An array of so many bytes, with whatever was in it before: uint8 [size]."""

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The same for any shape and type: a replacement for `np.empty`."""


class BufferPool:
    """Gives out arrays, and gives their memory out again when nobody refers to them any more.

    Whoever holds an array, a slice of it, or a view of it in another library keeps it: every such
    view refers to the array that owns the bytes, and these references are counted by Python. None
    keeps more than twice what it needs, and what waits to be given out again is at the most as much
    as was held at once.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._owners: list[Bytes] = []
        self._most = 0
        self.unlock()
        _of_this_process.add(self)

    def unlock(self) -> None:
        """In a forked child, the lock may be held by a thread that is not there."""
        self._lock = Lock()

    def take(self, size: int) -> Bytes:
        """An array of so many bytes, with whatever was in it before: uint8 [size]."""
        with self._lock:
            owner = self._find(size)
        return owner[:size]

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The same for any shape and type: a replacement for `np.empty`."""
        return shaped(self.take, shape, dtype)

    def _find(self, size: int) -> Bytes:
        owners = self._owners
        idle = [n for n in range(len(owners)) if _references(owners, n) == _UNUSED]
        fitting = [n for n in idle if size <= len(owners[n]) <= max(2 * size, _ROUND)]
        if fitting:
            owners.append(owners.pop(fitting[-1]))  # the one that is still in the cache, if any is
        else:
            self._let_go(idle, size)
            owners.append(np.empty(_rounded(size), np.uint8))
        return owners[-1]

    def _let_go(self, idle: list[int], size: int) -> None:
        """Give back what was not used for longest, as far as more is idle than was ever held."""
        unused = sum(len(self._owners[number]) for number in idle)
        held = sum(map(len, self._owners)) - unused
        self._most = max(self._most, held + size)
        gone = 0
        while unused > self._most:
            unused -= len(self._owners[idle[gone]])
            gone += 1
        for number in reversed(idle[:gone]):
            del self._owners[number]


def shaped(take: Callable[[int], Bytes], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array of any shape and type in memory that is taken where there is much of it."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if size < _ROUND:
        return np.empty(shape, kind)
    found: NDArray[Any] = take(size).view(kind).reshape(shape)
    return found


def _rounded(size: int) -> int:
    """Up to an eighth more, so that what is nearly as large finds room in it."""
    step = max(_ROUND, 1 << max(0, size.bit_length() - 4))
    return -(-max(size, 1) // step) * step


def _references(owners: list[Bytes], number: int) -> int:
    return sys.getrefcount(owners[number])


_UNUSED = _references([np.empty(1, np.uint8)], 0)
"""References to an array that only the list knows."""

_of_this_process: WeakSet[BufferPool] = WeakSet()


def _begin_child() -> None:
    for each in list(_of_this_process):
        each.unlock()


os.register_at_fork(after_in_child=_begin_child)
