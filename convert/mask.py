"""Polygons and run lengths -> one mask at the stored size. Pure.

The stored mask is, bit for bit, PIL's nearest-neighbour reduction of the union of the parts at
the annotation's own size.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from convert.errors import MaskDecodeError, SizeMismatchError
from convert.record import Polygons, RawMask, Runs
from shards.errors import MaskError
from shards.mask import decode_mask, encode_mask, parse_counts, write_counts
from shards.sample import Rle, Size

_FEWEST_COORDINATES = 6
_MAX_COORDINATES = 2_000_000
_MAX_MAGNITUDE = 1e6
_MAX_OUTLINE = 4e6
"""Pixels along all rings of a mask: pycocotools takes about 100 bytes of memory for each."""


def store_mask(parts: tuple[RawMask, ...], size: Size, stored: Size) -> Rle:
    """The union of the parts, at the stored size.

    Args:
        parts: at least one; in the pixels of an image of `size`.
        size: of the annotated image.
        stored: of the image the mask is for.

    Raises:
        MaskDecodeError: if a part is not a mask.
        SizeMismatchError: if a part is of another size than the image.
    """
    rles = [_rle(part, size) for part in parts]
    if len(rles) == 1 and size == stored:
        return rles[0]
    union = decode_mask(rles[0])
    for rle in rles[1:]:
        union = union | decode_mask(rle)
    if size != stored:
        rows = nearest(size.height, stored.height)
        columns = nearest(size.width, stored.width)
        union = union[rows[:, None], columns]
    return encode_mask(union)


def _rle(part: RawMask, size: Size) -> Rle:
    """The part in canonical COCO encoding; hostile counts never reach a C library."""
    if isinstance(part, Polygons):
        return _rasterise(part, size)
    if part.size != size:
        raise SizeMismatchError(f"mask is {part.size}, the image {size}")
    try:
        runs = np.array(part.lengths, np.int64) if isinstance(part, Runs) else parse_counts(part)
        return write_counts(size, _canonical(runs, size))
    except (MaskError, OverflowError) as error:
        raise MaskDecodeError(str(error)) from error


def _canonical(runs: NDArray[np.int64], size: Size) -> NDArray[np.int64]:
    """The same mask without empty runs inside, which writers in the wild leave behind."""
    area = size.height * size.width
    # Each for itself first: the sum could overflow and look right.
    total = int(runs.sum()) if runs.size and ((runs >= 0) & (runs <= area)).all() else -1
    if total != area:
        raise MaskError(f"run lengths do not cover the {area} pixels of {size}")
    if (runs[1:] > 0).all():
        return runs
    ones = np.arange(runs.size) % 2 == 1
    kept = runs > 0
    runs, ones = runs[kept], ones[kept]
    starts = np.flatnonzero(np.concatenate(([True], ones[1:] != ones[:-1])))
    first = np.zeros(int(ones[0]), np.int64)  # a mask that begins with 1s: no 0s before them
    merged: NDArray[np.int64] = np.concatenate((first, np.add.reduceat(runs, starts)))
    return merged


def _rasterise(polygons: Polygons, size: Size) -> Rle:
    rings = [list(map(float, ring)) for ring in polygons.rings]
    for ring in rings:
        if len(ring) % 2 or len(ring) < _FEWEST_COORDINATES or len(ring) > _MAX_COORDINATES:
            raise MaskDecodeError(
                f"a ring of {len(ring)} numbers; expected pairs, at least three of them"
            )
        # Written so that a NaN fails as well.
        if not all(-_MAX_MAGNITUDE < number < _MAX_MAGNITUDE for number in ring):
            raise MaskDecodeError("a ring leaves the image by a million pixels or is not a number")
    if sum(map(_outline, rings)) > _MAX_OUTLINE:
        raise MaskDecodeError(f"rings of more than {_MAX_OUTLINE:.0f} pixels of outline")
    if not rings:
        raise MaskDecodeError("a polygon without rings")
    encoded = coco_mask.merge(coco_mask.frPyObjects(rings, size.height, size.width))
    return Rle(size, encoded["counts"])


def _outline(ring: list[float]) -> float:
    points = np.array(ring).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


@lru_cache(maxsize=256)
def nearest(old: int, new: int) -> NDArray[np.intp]:
    """Which of `old` pixels PIL's nearest filter takes for each of `new`: [new].

    Asked of PIL itself: it steps in floating point and so differs from floor((i + 0.5) * scale)
    where that falls on a whole number.
    """
    ramp = Image.fromarray(np.arange(old, dtype=np.int32)[None, :])
    small = ramp.resize((new, 1), Image.Resampling.NEAREST)
    table: NDArray[np.intp] = np.array(small)[0].astype(np.intp)
    table.setflags(write=False)
    return table
