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
"""Offsets at which a photo is cut; stretches of it that are zeroed, and the bytes of one."""


def damage(photo: bytes, flips: int, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """(kind of damage, the photo with it), in its picture data.

    Args:
        photo: without metadata, ending with its end marker.
        flips: bytes to change, one at a time.
        rng: chooses the offsets, and the new values of bytes.
    """
    start = photo.index(_SCAN) + _SCAN_HEADER
    stop = len(photo) - len(_END)
    for offset in np.linspace(start, stop, _CUTS, endpoint=False, dtype=int):
        yield "cut", photo[:offset]
        yield "cut and ended", photo[:offset] + _END
        yield "zeros to end", photo[:offset] + bytes(len(photo) - offset)
    scans = [i for i in range(start, stop) if photo.startswith(_SCAN, i)]
    for offset in scans:
        yield "scans missing", photo[:offset] + _END
    for offset in rng.integers(start, stop - _STRETCH, _STRETCHES):
        zeroed = photo[:offset] + bytes(_STRETCH) + photo[offset + _STRETCH :]
        yield f"{_STRETCH} zeroed", zeroed
    for offset, change in zip(
        rng.integers(start, stop, flips), rng.integers(1, 256, flips), strict=True
    ):
        changed = bytes((photo[offset] ^ int(change),))
        yield "byte changed", photo[:offset] + changed + photo[offset + 1 :]


def decode_anyhow(data: bytes) -> NDArray[np.uint8] | None:
    """The pixels a lenient reader gives, uint8 [height, width, 3], or None."""
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=False)
    except ValueError:
        return None
    return pixels


def changes_pixels(data: bytes, whole: NDArray[np.uint8] | None) -> bool:
    """Whether a lenient reader gives other pixels than those of the undamaged photo."""
    pixels = decode_anyhow(data)
    return pixels is None or whole is None or not np.array_equal(pixels, whole)
