"""Bytes of a photo as values of an encoder's input.

A compiled kernel does it in one pass where it was built; numpy gives the same bits elsewhere.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

try:
    from shards.glamm import _normalise
except ImportError:
    BUILT = False
else:
    BUILT = True

Values = NDArray[np.float32] | NDArray[np.uint16]
"""float32; or bf16, of which numpy knows nothing, as its bits."""
Three = tuple[float, float, float]


class Normal(NamedTuple):
    """How bytes become values: `(byte / whole - mean) / deviation`, a channel each."""

    whole: int
    mean: Three
    deviation: Three


CLIP = Normal(255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SAM = Normal(1, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def normalise(pixels: NDArray[np.uint8], normal: Normal, out: Values) -> None:
    """Write the values of pixels.

    All in single precision and in this order of operations, so that not even the last bit differs
    from the reference's. transformers multiplies by 1 / 255 in double precision and then rounds,
    which of the 256 bytes there are gives what dividing gives.

    Args:
        pixels: uint8 [height, width, 3 or 4].
        normal: how.
        out: [3, height, width], every value of which is written.
    """
    if BUILT and pixels.strides[1:] == (pixels.shape[2], 1):
        _normalise.normalise(pixels, out, *normal)
    else:
        normalise_plainly(pixels, normal, out)


def normalise_plainly(pixels: NDArray[np.uint8], normal: Normal, out: Values) -> None:
    """The same by numpy, a channel at a time."""
    for channel, plane in enumerate(out):
        values = pixels[..., channel].astype(np.float32)
        if normal.whole != 1:
            values /= np.float32(normal.whole)
        values -= np.float32(normal.mean[channel])
        values /= np.float32(normal.deviation[channel])
        plane[:] = values if plane.dtype == np.float32 else to_halves(values)


def to_halves(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bf16, of two as near the even one, as torch rounds.

    >>> [hex(bits) for bits in to_halves(np.array([1, -2, 1.005], np.float32))]
    ['0x3f80', '0xc000', '0x3f81']
    """
    bits = values.view(np.uint32)
    halves: NDArray[np.uint16] = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return halves
