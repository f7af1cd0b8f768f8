"""COCO run-length masks <-> bool arrays, on numpy alone.

The encoding (cocodataset/cocoapi, common/maskApi.c, rleToString): run lengths of 0s and 1s in
turn, column-major, beginning with 0s. From the fourth on a run is stored as its difference to the
run two before. A number is cut into 5-bit groups, lowest first, two's complement; bit 5 says that
more follow; 48 is added to make it printable.
"""

import numpy as np
from numpy.typing import NDArray

from shards.errors import MaskError
from shards.sample import Rle, Size

_ZERO = 48
_LARGEST = 0x3F
_MORE = 0x20
_SIGN = 0x10
_GROUP_BITS = 5
_FIRST_DELTA = 3
_MAX_GROUPS = 7
"""35 bits: more than any picture has pixels, and safe in int64."""
_AT_ONCE = 1 << 16
"""Numbers: compressing takes some hundred bytes of memory for each."""


def parse_counts(rle: Rle) -> NDArray[np.int64]:
    """Run lengths, beginning with 0s: int64 [n], n >= 1, their sum the number of pixels.

    Raises:
        MaskError: if the counts are cut short, negative, too long, or of another total.
    """
    area = rle.size.height * rle.size.width
    if rle.size.height <= 0 or rle.size.width <= 0:
        raise MaskError(f"a mask of {rle.size} has no pixels")
    if area >> (_GROUP_BITS * _MAX_GROUPS):
        raise MaskError(f"a mask of {rle.size} has more pixels than any picture")
    raw = np.frombuffer(rle.counts, np.uint8).astype(np.int64) - _ZERO
    if raw.size == 0 or ((raw < 0) | (raw > _LARGEST)).any():
        raise MaskError("run-length counts are empty or hold bytes outside '0' to 'o'")
    ends = np.flatnonzero((raw & _MORE) == 0)
    if ends.size == 0 or ends[-1] != raw.size - 1:
        raise MaskError("run-length counts end inside a number")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MAX_GROUPS:
        raise MaskError("run-length counts hold a number of more than 35 bits")
    shifts = _GROUP_BITS * (np.arange(raw.size) - np.repeat(starts, lengths))
    values = np.add.reduceat((raw & 0x1F) << shifts, starts)
    values -= np.where(raw[ends] & _SIGN, np.int64(1) << (_GROUP_BITS * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if (values < 0).any():
        raise MaskError("run-length counts hold a negative run")
    if int(values.max()) > area:  # before they are added up: the sum could overflow and look right
        raise MaskError(
            f"run-length counts hold a run of more pixels than a mask of {rle.size} has"
        )
    total = int(values.sum())
    if total != area:
        raise MaskError(f"run-length counts cover {total} pixels, a mask of {rle.size} has {area}")
    return values


def write_counts(size: Size, runs: NDArray[np.int64]) -> Rle:
    """Compress run lengths that begin with 0s, as `pycocotools.mask` does, byte for byte.

    Args:
        size: of the mask.
        runs: int64 [n], n >= 1, sum = height * width; only the first may be 0.
    """
    values = runs.astype(np.int64)
    values[_FIRST_DELTA:] -= runs[_FIRST_DELTA - 2 : -2]
    parts = range(0, values.size, _AT_ONCE)
    return Rle(size, b"".join(_compress(values[start : start + _AT_ONCE]) for start in parts))


def _compress(values: NDArray[np.int64]) -> bytes:
    groups = values[:, None] >> (_GROUP_BITS * np.arange(_MAX_GROUPS))  # [runs, groups]
    rest = groups >> _GROUP_BITS
    sign = np.where(groups & _SIGN, -1, 0)
    last = np.argmax(rest == sign, axis=1)  # the first group after which only the sign is left
    keep = np.arange(_MAX_GROUPS) <= last[:, None]
    more = np.where(np.arange(_MAX_GROUPS) < last[:, None], _MORE, 0)
    characters = ((groups & 0x1F) | more) + _ZERO
    return bytes(characters[keep].astype(np.uint8))


def decode_mask(rle: Rle) -> NDArray[np.bool_]:
    """The mask as bool [height, width], column-major in memory.

    Raises:
        MaskError: if the counts do not describe a mask of their size.
    """
    runs = parse_counts(rle)
    ones = np.arange(runs.size) % 2 == 1
    return np.repeat(ones, runs).reshape(rle.size.width, rle.size.height).T


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """Run-length encode a bool [height, width] mask; both sides must be at least 1."""
    height, width = mask.shape
    flat = mask.T.reshape(-1)
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], borders, [flat.size]))
    runs = np.diff(edges)
    if flat[0]:
        runs = np.concatenate(([0], runs))
    return write_counts(Size(height, width), runs)
