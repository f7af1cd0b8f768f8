"""Many samples read and checked in one call, where their shards are in folders here.

Python takes longer to ask for a sample than memory takes to give it, and asks in one thread at a
time. The compiled reader needs neither; without it, samples are read one by one.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shards.load.files import LocalFiles
from shards.load.split import Places, Split

try:
    from shards.load import _native
except ImportError:  # it was not compiled
    BUILT = False
else:
    BUILT = True

_OPEN_FILES = 128
_LEAST = 241
"""Bytes of a sample that the compiled reader takes; a tar's header has more."""


class _OpenFile:
    """A descriptor that is closed when nobody refers to it any more, not while one reads."""

    __slots__ = ("fd",)

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "fd"):
            close(self.fd)


class BulkReader:
    """Reads samples of splits that are in folders here. Threads may do so at once."""

    def __init__(self, splits: Sequence[Split]) -> None:
        """Open nothing yet.

        Args:
            splits: by number.
        """
        here = BUILT and all(type(split.files) is LocalFiles for split in splits)
        self._splits = splits if here else ()
        self._lock = Lock()
        self.close()

    def close(self) -> None:
        """Close what nobody is reading."""
        self._files: dict[tuple[int, int], _OpenFile] = {}
        self._order: deque[tuple[int, int]] = deque()

    def read(
        self, parts: NDArray[np.int64], found: Places, out: NDArray[np.uint8], *, check: bool
    ) -> bool:
        """Read samples one after the other; False where one by one is to be found out why not.

        Args:
            parts: int64 [samples]; number of the split.
            found: where each is.
            out: uint8 [their bytes].
            check: compare each with its checksum.
        """
        if not self._splits or not len(parts) or int(found.sizes.min()) < _LEAST:
            return False
        try:
            files = [
                self._files.get(key) or self._open(*key)
                for key in zip(parts.tolist(), found.shards.tolist(), strict=True)
            ]
        except OSError:
            return False
        descriptors = np.array([file.fd for file in files], np.int32)
        checksums = found.checksums if check else None
        done = _native.read(descriptors, found.offsets, found.sizes, checksums, out)
        return done == len(files)

    def _open(self, part: int, shard: int) -> _OpenFile:
        split = self._splits[part]
        with self._lock:
            file = self._files.get((part, shard))
            if file is None:
                file = _OpenFile(split.files.path(split.names[shard]))
                self._files[part, shard] = file
                self._order.append((part, shard))
                if len(self._order) > _OPEN_FILES:
                    self._files.pop(self._order.popleft(), None)
        return file
