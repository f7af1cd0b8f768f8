"""A file that a thread writes, hashes and brings to the disk while the next photos are made."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

BATCH = 1 << 20
"""Bytes that are written at once: Linux takes a fifth less time for these than for 100 kB."""
_PARTS = 900
"""Parts that are written at once; the system takes 1024 in one call."""
_WAITING = 16
"""Batches that may wait for the thread: 16 MB. A disk that is slower than that slows the caller."""
_SYNCED = 32 << 20
"""Bytes after which the disk is given them, so that there is little to wait for at the end."""


class HashedStream:
    """Appends to a new file. Whatever fails in the thread is raised by the next call that waits."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._parts: list[bytes] = []
        self._size = 0
        self._unsynced = 0
        self._hash = hashlib.sha256()

    def append(self, parts: Iterable[bytes]) -> None:
        """Add to the end, soon.

        Raises:
            OSError: if something added before could not be written.
        """
        new = list(parts)
        self._parts += new
        self._size += sum(map(len, new))
        if self._size >= BATCH or len(self._parts) >= _PARTS:
            self._send()

    def _send(self) -> None:
        while len(self._waiting) >= _WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._put, self._parts))
        self._parts, self._size = [], 0

    def _put(self, parts: Sequence[bytes]) -> None:
        """Runs in the thread, which alone touches the file and the hash."""
        write(self._descriptor, parts)
        for part in parts:
            self._hash.update(part)  # without the interpreter's lock, if it is more than a header
        self._unsynced += sum(map(len, parts))
        if self._unsynced >= _SYNCED:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def digest(self) -> str:
        """Wait until all of it is written; its sha256, hexadecimal.

        Raises:
            OSError: if something could not be written.
        """
        self._send()
        while self._waiting:
            self._waiting.popleft().result()
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Wait until what is written is on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file; what waits is not written."""
        self._thread.shutdown(cancel_futures=True)
        os.close(self._descriptor)


def write(descriptor: int, parts: Sequence[bytes]) -> None:
    """Write all parts, in one call as a rule; at most 1024 of them."""
    written = os.writev(descriptor, parts)
    if written < sum(map(len, parts)):  # a disk that is nearly full, or a signal
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]
