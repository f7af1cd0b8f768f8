"""Which kernel computes: the compiled one where it was built, else numpy. Both give the same."""

import os
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shards.rle import compiled, plain
from shards.rle.runs import Runs
from shards.sample import Size

VARIABLE = "GLAMM_RLE"
"""Environment: `numpy` or `compiled` insists on that kernel; unset takes the faster there is."""

Name = Literal["compiled", "numpy"]
Ints = NDArray[np.int64]


class Kernel(Protocol):
    """What a kernel computes, of arguments that `shards.rle` has checked."""

    def parse(self, counts: Sequence[bytes], size: Size) -> Runs:
        """Read compressed counts."""

    def write(self, runs: Runs) -> list[bytes]:
        """Compress."""

    def union(self, runs: Runs, groups: Ints) -> Runs:
        """One mask for each group."""

    def resize(self, runs: Runs, rows: Ints, columns: Ints) -> Runs:
        """Take these rows and columns."""

    def turn(self, runs: Runs, orientation: int) -> Runs:
        """Undo an EXIF orientation."""

    def boxes(self, runs: Runs) -> NDArray[np.float64]:
        """The tightest boxes: [masks, 4]."""

    def paint(self, runs: Runs, out: NDArray[np.uint8], chosen: Ints) -> None:
        """Write pixels."""

    def trace(self, masks: NDArray[np.bool_]) -> Runs:
        """Read pixels."""

    def reduce(
        self, counts: Sequence[bytes], groups: Ints, size: Size, rows: Ints, columns: Ints
    ) -> list[bytes]:
        """Read, resize, unite and compress."""


def choose(wanted: str) -> tuple[Name, Kernel]:
    """The kernel of that name, or the faster there is for an empty one.

    Raises:
        ImportError: if the compiled one is wanted and was not built, or the name is neither.
    """
    if wanted not in {"", "compiled", "numpy"}:
        raise ImportError(f"{VARIABLE}={wanted}: expected 'compiled' or 'numpy'")
    if wanted == "compiled" and not compiled.BUILT:
        raise ImportError("the compiled kernel, shards.rle._rle, was not built")
    return ("compiled", compiled) if compiled.BUILT and wanted != "numpy" else ("numpy", plain)


KERNEL, KERNEL_MODULE = choose(os.environ.get(VARIABLE, ""))
