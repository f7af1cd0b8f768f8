"""A draft's masks, label map and boxes, in pixels."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shards import rle
from shards.errors import ExampleError, MaskError
from shards.load.glamm.pixels import MEMORY
from shards.sample import Box, Rle, Sample, Size

IGNORED = 255


def paint_masks(masks: Sequence[Rle], sample: Sample) -> NDArray[np.uint8]:
    """The masks as uint8 [masks, height, width] of the stored size; no other mask is looked at.

    Raises:
        ExampleError: if one is not a mask of that size.
    """
    size = sample.image.size
    out = MEMORY.array((len(masks), size.height, size.width), np.uint8)
    try:
        rle.paint(rle.parse([mask.counts for mask in masks], size), out)
    except MaskError as error:
        raise ExampleError(f"{sample.key}: {error}") from error
    return out


def open_labels(sample: Sample) -> NDArray[np.uint8]:
    """The class of every pixel: uint8 [height, width].

    Raises:
        ExampleError: if there is no label map, or it is not one.
    """
    if sample.labels is None:
        raise ExampleError(f"{sample.key}: no label map")
    try:
        image = Image.open(io.BytesIO(sample.labels.png), formats=("PNG",))
        pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ExampleError(f"{sample.key}.labels.png: does not decode: {error}") from error
    size = sample.image.size
    if pixels.dtype != np.uint8 or pixels.shape != (size.height, size.width):
        raise ExampleError(
            f"{sample.key}.labels.png: expected 8-bit grayscale of {size}, found mode "
            f"{image.mode} of {image.width}x{image.height}"
        )
    return pixels


def masks_of_labels(labels: NDArray[np.uint8], chosen: Sequence[int]) -> NDArray[np.uint8]:
    """Where each of some classes is: uint8 [classes, height, width]."""
    out: NDArray[np.uint8] = MEMORY.array((len(chosen), *labels.shape), np.uint8)
    for number, mask in zip(chosen, out, strict=True):
        np.equal(labels, number, out=mask.view(np.bool_))
    return out


def widen_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The same in the type that the reference has: int64 [height, width]."""
    out: NDArray[np.int64] = MEMORY.array(labels.shape, np.int64)
    out[:] = labels
    return out


def blank_labels(size: Size) -> NDArray[np.int64]:
    """A label map of nothing, in eight bytes: only its shape is asked for."""
    return np.broadcast_to(np.int64(IGNORED), (size.height, size.width))


def share_boxes(boxes: Sequence[Box], size: Size) -> NDArray[np.float32]:
    """Boxes as shares of width and height: float32 [boxes, 4].

    >>> share_boxes([Box(0, 5, 10, 10)], Size(10, 40)).tolist()
    [[0.0, 0.5, 0.25, 1.0]]
    """
    corners = np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.float64).reshape(-1, 4)
    return (corners / ([size.width, size.height] * 2)).astype(np.float32)
