"""A draft's masks, label map and boxes, in pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.glamm.pixels import MEMORY
from shards.pixels import paint_masks
from shards.sample import Box, Rle, Sample, Size

IGNORED = 255


def take_masks(masks: Sequence[Rle], sample: Sample) -> NDArray[np.uint8]:
    """Masks of a sample as uint8 [masks, height, width] of the stored size; paints no others.

    Raises:
        DecodeError: if a mask is damaged or of another size.
    """
    size = sample.image.size
    out: NDArray[np.uint8] = MEMORY.array((len(masks), size.height, size.width), np.uint8)
    paint_masks(sample, masks, out)
    return out


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
