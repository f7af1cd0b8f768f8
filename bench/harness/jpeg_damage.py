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
"""Places where a photo is cut; stretches of it that are zeroed, and the bytes of one."""


def damage(photo: bytes, flips: int, chance: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """(kind of damage, the photo with it), in its picture data.

    Args:
        photo: without metadata, ending with its end marker.
        flips: bytes to change, one at a time.
        chance: chooses the places, and the bytes' new values.
    """
    start = photo.index(_SCAN) + _SCAN_HEADER
    stop = len(photo) - len(_END)
    for place in np.linspace(start, stop, _CUTS, endpoint=False, dtype=int):
        yield "cut", photo[:place]
        yield "cut and ended", photo[:place] + _END
        yield "zeros to end", photo[:place] + bytes(len(photo) - place)
    scans = [i for i in range(start, stop) if photo.startswith(_SCAN, i)]
    for place in scans:
        yield "scans missing", photo[:place] + _END
    for place in chance.integers(start, stop - _STRETCH, _STRETCHES):
        zeroed = photo[:place] + bytes(_STRETCH) + photo[place + _STRETCH :]
        yield f"{_STRETCH} zeroed", zeroed
    for place, change in zip(
        chance.integers(start, stop, flips), chance.integers(1, 256, flips), strict=True
    ):
        changed = bytes((photo[place] ^ int(change),))
        yield "byte changed", photo[:place] + changed + photo[place + 1 :]


def decode_anyhow(data: bytes) -> NDArray[np.uint8] | None:
    """What a lenient reader makes of it, or None: uint8 [height, width, 3]."""
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=False)
    except ValueError:
        return None
    return pixels


def changes_pixels(data: bytes, whole: NDArray[np.uint8] | None) -> bool:
    """Whether a lenient reader makes of it anything but the whole photo's pixels."""
    pixels = decode_anyhow(data)
    return pixels is None or whole is None or not np.array_equal(pixels, whole)
