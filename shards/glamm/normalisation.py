"""Pixel bytes to the normalised values of an encoder's input.

The compiled kernel does it in one pass. numpy gives the same bits where it is not compiled.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

try:
    from shards.glamm import _normalise
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True

EncoderInput = NDArray[np.float32] | NDArray[np.uint16]
"""float32, or the bits of bf16 in uint16, since numpy has no bf16."""
PerChannel = tuple[float, float, float]


class Normalisation(NamedTuple):
    """How a byte becomes a value: `(byte / divisor - mean) / std`, for each of three channels."""

    divisor: int
    mean: PerChannel
    std: PerChannel


CLIP = Normalisation(255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SAM = Normalisation(1, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def normalise(pixels: NDArray[np.uint8], by: Normalisation, out: EncoderInput) -> None:
    """Write the normalised values of pixels to `out`.

    All operations are in single precision and in this order, so that every bit equals the
    reference's. transformers multiplies by 1 / 255 in double precision and then rounds. For each of
    the 256 bytes this gives the same float32 as dividing.

    Args:
        pixels: uint8 [height, width, 3 or 4].
        by: divisor, means and standard deviations.
        out: [3, height, width]; every value is written.
    """
    if COMPILED and pixels.strides[1:] == (pixels.shape[2], 1):
        _normalise.normalise(pixels, out, *by)
    else:
        normalise_numpy(pixels, by, out)


def normalise_numpy(pixels: NDArray[np.uint8], by: Normalisation, out: EncoderInput) -> None:
    """Write the normalised values of pixels to `out` with numpy, one channel at a time."""
    for channel, plane in enumerate(out):
        values = pixels[..., channel].astype(np.float32)
        if by.divisor != 1:
            values /= np.float32(by.divisor)
        values -= np.float32(by.mean[channel])
        values /= np.float32(by.std[channel])
        plane[:] = values if plane.dtype == np.float32 else to_bf16(values)


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bf16; ties go to the even one, as in torch.

    >>> [hex(bits) for bits in to_bf16(np.array([1, -2, 1.005], np.float32))]
    ['0x3f80', '0xc000', '0x3f81']
    """
    bits = values.view(np.uint32)
    halves: NDArray[np.uint16] = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return halves
