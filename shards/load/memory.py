"""Memory that is used again: fresh pages cost more than reading into old ones."""

import sys
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_ROUND = 1 << 16
"""Less than this comes from memory that Python itself uses again."""


def _plain(size: int) -> Bytes:
    return np.empty(size, np.uint8)


class Memory:
    """Gives out arrays, and gives their memory out again when nobody refers to them any more.

    Whoever holds an array, a slice of it, or a view of it in another library keeps it: every such
    view refers to the array that owns the bytes, and these references are counted by Python.
    """

    def __init__(self, allocate: Callable[[int], Bytes] = _plain) -> None:
        """Begin with nothing.

        Args:
            allocate: makes an array of so many bytes.
        """
        self._allocate = allocate
        self._owners: list[Bytes] = []
        self._lock = Lock()

    def take(self, size: int) -> Bytes:
        """An array of so many bytes, with whatever was in it before: uint8 [size]."""
        with self._lock:
            owner = self._find(size)
        return owner[:size]

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The same for any shape and type: a replacement for `np.empty`."""
        kind = np.dtype(dtype)
        size = prod(shape) * kind.itemsize
        if size < _ROUND:
            return np.empty(shape, kind)
        shaped: NDArray[Any] = self.take(size).view(kind).reshape(shape)
        return shaped

    def _find(self, size: int) -> Bytes:
        idle = [n for n in range(len(self._owners)) if _references(self._owners, n) == _UNUSED]
        fitting = [n for n in idle if len(self._owners[n]) >= size]
        if fitting:
            return self._owners[min(fitting, key=lambda n: len(self._owners[n]))]
        if idle:  # all are too small: sizes have grown
            del self._owners[idle[-1]]
        self._owners.append(self._allocate(-(-max(size, 1) // _ROUND) * _ROUND))
        return self._owners[-1]


def _references(owners: list[Bytes], number: int) -> int:
    return sys.getrefcount(owners[number])


_UNUSED = _references([_plain(1)], 0)
"""References to an array that only the list knows."""
