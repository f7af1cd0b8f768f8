"""Masks at the stored size, from polygons and run lengths, without painting pixels. Pure.

A stored mask is, bit for bit, PIL's nearest-neighbour reduction of the union of its parts at the
size of the annotation.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from convert.errors import MaskDecodeError, SizeMismatchError
from convert.record import Polygons, RawMask
from shards import rle
from shards.errors import MaskError
from shards.sample import Rle, Size

_FEWEST_COORDINATES = 6
_MAX_COORDINATES = 2_000_000
_MAX_MAGNITUDE = 1e6
_MAX_OUTLINE = 4e6
"""Pixels along all rings of a mask: pycocotools takes about 100 bytes of memory for each."""


def store_masks(
    masks: Sequence[tuple[RawMask, ...]], size: Size, stored: Size
) -> tuple[Rle | None, ...]:
    """All masks of a photo at its stored size; None for a mask of no parts.

    Args:
        masks: the parts of each mask, whose union it is; in the pixels of an image of `size`.
        size: of the annotated image.
        stored: of the stored image.

    Raises:
        MaskDecodeError: if a part is not a mask.
        SizeMismatchError: if a part is of another size than the image.
    """
    groups = [
        list(chain.from_iterable(_counts(part, size) for part in parts)) for parts in masks if parts
    ]
    if not groups:
        return (None,) * len(masks)
    if max(size.height, size.width) > rle.MAX_SIDE:  # before tables as long as its sides
        raise MaskDecodeError(f"a mask of {size}, the limit is {rle.MAX_SIDE} pixels a side")
    rows, columns = nearest(size.height, stored.height), nearest(size.width, stored.width)
    try:
        counts = iter(rle.resize_counts(groups, size, stored, rows, columns))
    except MaskError as error:
        raise MaskDecodeError(str(error)) from error
    return tuple(Rle(stored, next(counts)) if parts else None for parts in masks)


def _counts(part: RawMask, size: Size) -> list[bytes]:
    """Compressed counts whose union the part is; those of an Rle are not checked yet."""
    if isinstance(part, Polygons):
        return _rasterise(part, size)
    if part.size != size:
        raise SizeMismatchError(f"mask is {part.size}, the image {size}")
    if isinstance(part, Rle):
        return [part.counts]
    try:
        return rle.encode_counts(rle.from_lengths([part.lengths], size))
    except MaskError as error:
        raise MaskDecodeError(str(error)) from error


def _rasterise(polygons: Polygons, size: Size) -> list[bytes]:
    """One mask for each ring, rasterised by pycocotools as COCO does it."""
    rings = [list(map(float, ring)) for ring in polygons.rings]
    for ring in rings:
        if len(ring) % 2 or len(ring) < _FEWEST_COORDINATES or len(ring) > _MAX_COORDINATES:
            raise MaskDecodeError(
                f"polygon has a ring of {len(ring)} numbers; expected 3 pairs or more, "
                f"{_MAX_COORDINATES} numbers at most"
            )
        # Written so that a NaN fails as well.
        if not all(-_MAX_MAGNITUDE < number < _MAX_MAGNITUDE for number in ring):
            raise MaskDecodeError(
                f"polygon has a coordinate that is no number or beyond {_MAX_MAGNITUDE:.0f} pixels"
            )
    if sum(map(_outline, rings)) > _MAX_OUTLINE:
        raise MaskDecodeError(f"polygon has an outline of more than {_MAX_OUTLINE:.0f} pixels")
    if not rings:
        raise MaskDecodeError("polygon has no rings")
    return [ring["counts"] for ring in coco_mask.frPyObjects(rings, size.height, size.width)]


def _outline(ring: list[float]) -> float:
    points = np.array(ring).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


@lru_cache(maxsize=256)
def nearest(old: int, new: int) -> NDArray[np.intp]:
    """The index, in `old` pixels, that PIL's nearest filter takes for each of `new`: [new].

    PIL itself resizes a ramp of indices: it steps in floating point and so differs from
    floor((i + 0.5) * scale) where that is a whole number.
    """
    ramp = Image.fromarray(np.arange(old, dtype=np.int32)[None, :])
    resized = ramp.resize((new, 1), Image.Resampling.NEAREST)
    indices: NDArray[np.intp] = np.array(resized)[0].astype(np.intp)
    indices.setflags(write=False)
    return indices
