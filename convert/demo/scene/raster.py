"""Masks of rings of points, filled by pycocotools."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

HeightWidth = tuple[int, int]
"""(height, width) in pixels."""
Ring = tuple[float, ...]
"""x0, y0, x1, y1, ... in pixels, as COCO writes a polygon."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask in COCO's compressed run-length encoding."""

    size: HeightWidth
    counts: bytes

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """Bool [height, width]."""
        decoded: NDArray[np.uint8] = coco_mask.decode({"size": self.size, "counts": self.counts})
        return decoded.astype(np.bool_)

    @property
    def area(self) -> int:
        """The number of pixels set."""
        return int(coco_mask.area({"size": self.size, "counts": self.counts}))

    @property
    def bbox(self) -> list[float]:
        """x, y, width, height around the pixels set."""
        return [float(n) for n in coco_mask.toBbox({"size": self.size, "counts": self.counts})]

    def as_json(self) -> dict[str, object]:
        """The mask in the JSON form of COCO's files."""
        return {"size": list(self.size), "counts": self.counts.decode("ascii")}


def rasterise(rings: Sequence[Ring], size: HeightWidth) -> Mask:
    """The union of some filled rings."""
    parts = coco_mask.frPyObjects([list(ring) for ring in rings], *size)
    return Mask(size, coco_mask.merge(parts)["counts"])


def encode(pixels: NDArray[np.bool_]) -> Mask:
    """A mask from bool [height, width]."""
    counts = coco_mask.encode(np.asfortranarray(pixels, np.uint8))["counts"]
    height, width = pixels.shape
    return Mask((height, width), counts)


def unite(masks: Sequence[Mask]) -> Mask:
    """The union of masks of one size."""
    parts = [{"size": mask.size, "counts": mask.counts} for mask in masks]
    return Mask(masks[0].size, coco_mask.merge(parts)["counts"])


def extents(rings: Sequence[Ring]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around the rings.

    >>> extents([(1.0, 2.0, 4.0, 2.0, 4.0, 9.5)])
    (1.0, 2.0, 4.0, 9.5)
    """
    xs = [x for ring in rings for x in ring[0::2]]
    ys = [y for ring in rings for y in ring[1::2]]
    return min(xs), min(ys), max(xs), max(ys)
