"""The compiled kernel against numpy."""

import numpy as np
import pytest

from shards.glamm.normalisation import CLIP, SAM, normalise, normalise_numpy


@pytest.mark.parametrize("by", [CLIP, SAM])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_compiled_kernel_equals_numpy_bit_for_bit(by, dtype, channels):
    kernel = pytest.importorskip("shards.glamm._normalise")
    rng = np.random.default_rng(channels)
    for height, width in ((1, 1), (7, 5), (31, 257), (16, 256)):
        pixels = rng.integers(0, 256, (height + 2, width + 3, channels), np.uint8)
        pixels = pixels[1:-1, 2:-1]  # a view of a larger image, written to a view of a larger one
        one, other = (np.full((3, height + 1, width + 2), 9, dtype) for _ in range(2))
        kernel.normalise(pixels, one[:, :height, :width], *by)
        normalise_numpy(pixels, by, other[:, :height, :width])
        np.testing.assert_array_equal(one, other)
    every = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], channels, 2)
    one, other = (np.empty((3, 1, 256), dtype) for _ in range(2))
    normalise(every, by, one)
    normalise_numpy(every, by, other)
    np.testing.assert_array_equal(one, other)


def test_the_compiled_kernel_checks_its_arguments():
    kernel = pytest.importorskip("shards.glamm._normalise")
    pixels = np.zeros((4, 6, 4), np.uint8)
    out = np.zeros((3, 4, 6), np.float32)
    ones = (1.0, 1.0, 1.0)
    for bad in (pixels[..., :3], pixels[:, ::2], pixels[0], pixels[..., :1], pixels.astype(int)):
        with pytest.raises(ValueError, match="pixels: expected"):
            kernel.normalise(bad, out, 1.0, ones, ones)
    wrong = (out[:2], out[:, :3], out[:, :, :5], out[..., ::2], out.astype(float), out[0])
    for bad in wrong:
        with pytest.raises(ValueError, match="out: expected"):
            kernel.normalise(pixels, bad, 1.0, ones, ones)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"read-?only"):
        kernel.normalise(pixels, out, 1.0, ones, ones)
