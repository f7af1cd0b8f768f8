# `read` gives how many samples, from the first on, are as they were written; `look` gives these.
# `hash` gives the same number twice: as wide registers compute it, and without them.
import numpy as np
from numpy.typing import NDArray

def read(
    files: NDArray[np.int32],
    offsets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    checksums: NDArray[np.uint64] | None,
    out: NDArray[np.uint8],
    /,
) -> int: ...
def look(
    files: list[memoryview],
    offsets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    checksums: NDArray[np.uint64] | None,
    /,
) -> list[memoryview]: ...
def hash(data: bytes, /) -> tuple[int, int]: ...  # noqa: A001 - of that name in the module
