# Arrays go in as buffers and come out as bytes; `compiled` wraps them. `parse` and `reduce` give
# the number of the first mask that they refuse instead.
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Lengths: TypeAlias = NDArray[np.uint32]
_Ints: TypeAlias = NDArray[np.int64]
_Made: TypeAlias = tuple[bytes, bytes]

def parse(counts: tuple[bytes, ...], height: int, width: int, /) -> _Made | int: ...
def write(lengths: _Lengths, ends: _Ints, height: int, width: int, /) -> list[bytes]: ...
def union(lengths: _Lengths, ends: _Ints, height: int, width: int, groups: _Ints, /) -> _Made: ...
def resize(
    lengths: _Lengths, ends: _Ints, height: int, width: int, rows: _Ints, columns: _Ints, /
) -> _Made: ...
def turn(lengths: _Lengths, ends: _Ints, height: int, width: int, orientation: int, /) -> _Made: ...
def boxes(lengths: _Lengths, ends: _Ints, height: int, width: int, /) -> bytes: ...
def paint(
    lengths: _Lengths,
    ends: _Ints,
    height: int,
    width: int,
    chosen: _Ints,
    out: NDArray[np.uint8],
    /,
) -> None: ...
def trace(masks: NDArray[np.bool_], /) -> _Made: ...
def reduce(
    counts: tuple[bytes, ...],
    groups: _Ints,
    height: int,
    width: int,
    rows: _Ints,
    columns: _Ints,
    /,
) -> list[bytes] | int: ...
