"""The kernel that computes on runs: the compiled one where it is installed, else numpy.

Both have the functions of `Kernel`, take arguments that `shards.rle` has checked, and return the
same numbers.
"""

import os
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shards.rle import numpy_kernel
from shards.rle.numpy_edges import IntArray, Masks

try:
    from shards.rle import _rle
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True

VARIABLE = "GLAMM_RLE"
"""Environment variable: `numpy` or `compiled` requires that kernel; unset takes the faster one."""

KernelName = Literal["compiled", "numpy"]
RunArrays = tuple[bytes | NDArray[Any], bytes | NDArray[Any]]
"""`Runs.lengths` and `Runs.ends`, as arrays or as bytes that `numpy.frombuffer` reads."""


class Kernel(Protocol):
    """The functions of a kernel. `shards.rle` describes each under the same name.

    Sizes are (height, width). `decode_counts` and `resize_counts` return None if the counts of a
    mask are wrong.
    """

    def decode_counts(
        self, counts: tuple[bytes, ...], size: tuple[int, int], /
    ) -> RunArrays | None:
        """Runs from compressed counts."""

    def encode_counts(self, masks: Masks, /) -> list[bytes]:
        """Compressed counts of each mask."""

    def union(self, masks: Masks, groups: IntArray, /) -> RunArrays:
        """One mask for each group."""

    def resize(self, masks: Masks, rows: IntArray, columns: IntArray, /) -> RunArrays:
        """These rows and columns of each mask."""

    def apply_orientation(self, masks: Masks, orientation: int, /) -> RunArrays:
        """The masks upright, from an EXIF orientation of 2 to 8."""

    def boxes(self, masks: Masks, /) -> bytes | NDArray[np.float64]:
        """The tightest boxes: float64 [masks, 4]."""

    def paint(self, masks: Masks, selected: IntArray, out: NDArray[np.uint8], /) -> None:
        """Write pixels: `out` is [selected, height, width]."""

    def from_pixels(self, pixels: NDArray[np.bool_], /) -> RunArrays:
        """Runs of pixels: [masks, height, width], each row contiguous."""

    def resize_counts(
        self,
        counts: tuple[bytes, ...],
        groups: IntArray,
        size: tuple[int, int],
        rows: IntArray,
        columns: IntArray,
        /,
    ) -> list[bytes] | None:
        """Decode, resize, unite and encode."""


def choose_kernel(requested: str) -> tuple[KernelName, Kernel]:
    """The kernel of that name; for an empty name the faster one that is installed.

    Raises:
        ImportError: if the name is unknown, or the compiled kernel is requested and missing.
    """
    if requested not in {"", "compiled", "numpy"}:
        raise ImportError(f"{VARIABLE}={requested}: expected 'compiled' or 'numpy'")
    if requested == "compiled" and not COMPILED:
        raise ImportError(f"{VARIABLE}={requested}: the compiled kernel is not installed here")
    if COMPILED and requested != "numpy":
        return "compiled", _rle
    return "numpy", numpy_kernel


KERNEL, KERNEL_MODULE = choose_kernel(os.environ.get(VARIABLE, ""))
