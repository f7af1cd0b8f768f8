"""Memory that a worker has used once, it uses again.

The C library gives large blocks back to the system as soon as they are freed, so that the next
photo's pixels fault every page in anew: a fifth to a half of the time that decoding takes.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt` (malloc.h)."""
_KEPT = 1 << 30
"""Bytes of free memory at the end of the heap above which they are given back after all."""


def keep_memory() -> bool:
    """Have this process keep what it frees; whether its C library can be told so.

    It then holds as much as its largest photo needed, until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _KEPT))
