"""Damage to the picture data of a JPEG, and whether it changes a pixel."""

from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from convert.image.header import EOI, SOS

_SCAN, _END = bytes((0xFF, SOS)), bytes((0xFF, EOI))
_SCAN_HEADER = 14
"""Bytes from a scan's marker to its data, of three components; fewer take less."""
_CUTS, _STRETCHES, _STRETCH = 10, 20, 64
"""Number of positions to cut at; number of ranges to zero, and the bytes of one."""


def damage(photo: bytes, flips: int, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """(kind of damage, damaged photo); the damage is in the picture data.

    Args:
        photo: without metadata, ending with its end marker.
        flips: number of bytes to change, one at a time.
        rng: chooses the positions and the new values.
    """
    start = photo.index(_SCAN) + _SCAN_HEADER
    stop = len(photo) - len(_END)
    for position in np.linspace(start, stop, _CUTS, endpoint=False, dtype=int):
        yield "cut", photo[:position]
        yield "cut and ended", photo[:position] + _END
        yield "zeros to end", photo[:position] + bytes(len(photo) - position)
    scans = [i for i in range(start, stop) if photo.startswith(_SCAN, i)]
    for position in scans:
        yield "scans missing", photo[:position] + _END
    for position in rng.integers(start, stop - _STRETCH, _STRETCHES):
        zeroed = photo[:position] + bytes(_STRETCH) + photo[position + _STRETCH :]
        yield f"{_STRETCH} zeroed", zeroed
    for position, change in zip(
        rng.integers(start, stop, flips), rng.integers(1, 256, flips), strict=True
    ):
        changed = bytes((photo[position] ^ int(change),))
        yield "byte changed", photo[:position] + changed + photo[position + 1 :]


def decode_anyhow(data: bytes) -> NDArray[np.uint8] | None:
    """Pixels that a lenient decoder returns, uint8 [height, width, 3], or None if it fails."""
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=False)
    except ValueError:
        return None
    return pixels


def changes_pixels(data: bytes, whole: NDArray[np.uint8] | None) -> bool:
    """Whether a lenient decoder returns other pixels than those of the undamaged photo."""
    pixels = decode_anyhow(data)
    return pixels is None or whole is None or not np.array_equal(pixels, whole)
