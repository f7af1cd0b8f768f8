"""What the kernel has of a file in memory, and what it is asked to have soon."""

import os
from threading import Event

_STRETCH = 1 << 17
"""Bytes that the kernel is asked to read at once. It reads no more than its device's read-ahead,
however much is asked for, and 128 KiB is the least that is usual."""

_PROBES = 16


def read_ahead(fd: int, stop: Event) -> None:
    """Have the kernel read a file, unless it has it.

    Args:
        fd: of the file.
        stop: ends it.

    Raises:
        OSError: if it cannot be read.
    """
    size = os.fstat(fd).st_size
    if not hasattr(os, "posix_fadvise") or is_in_memory(fd, size):
        return
    for start in range(0, size, _STRETCH):
        if stop.is_set():
            return
        os.posix_fadvise(fd, start, _STRETCH, os.POSIX_FADV_WILLNEED)


def is_in_memory(fd: int, size: int) -> bool:
    """Whether the kernel has the file, as far as some probes show: asking for it all costs time."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    byte = bytearray(1)
    try:
        for number in range(_PROBES):
            os.preadv(fd, (byte,), size * number // _PROBES, os.RWF_NOWAIT)
    except OSError:  # it would have to wait for the disk, or the file system cannot say
        return False
    return True
