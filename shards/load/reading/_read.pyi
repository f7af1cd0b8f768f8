# `read` returns the number of samples read, `view` memoryviews of them. Both stop at the first
# sample that does not match its checksum.
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
def view(
    files: list[memoryview],
    offsets: NDArray[np.int64],
    sizes: NDArray[np.int64],
    checksums: NDArray[np.uint64] | None,
    /,
) -> list[memoryview]: ...
def xxh3_64(data: bytes, /) -> int: ...
