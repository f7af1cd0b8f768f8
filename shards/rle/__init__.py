"""Masks as run lengths, computed on without ever being pixels: time and memory go with the runs.

Every function takes all masks of a photo at once, and gives the bits that the same computation on
pixels gives. A compiled kernel does the work where it was built (`KERNEL` is then `compiled`);
numpy does the same elsewhere.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.rle.checks import group_ends, ints, tables
from shards.rle.choice import KERNEL, KERNEL_MODULE
from shards.rle.lengths import from_lengths
from shards.rle.runs import LONGEST, Runs, pixels, turned
from shards.sample import Size

__all__ = [
    "KERNEL", "LONGEST", "Runs", "areas", "boxes", "from_lengths", "paint", "parse", "pixels",
    "reduce", "resize", "trace", "turn", "turned", "union", "write",
]  # fmt: skip

_kernel = KERNEL_MODULE

Ints = NDArray[np.int64]


def parse(counts: Sequence[bytes], size: Size) -> Runs:
    """Masks from COCO's compressed counts, whoever wrote them.

    Empty runs inside, which writers in the wild leave behind, are merged away.

    Raises:
        MaskError: naming the first mask whose counts are cut short, negative, too long, or of
            another total than the size.
    """
    return _kernel.parse(counts, size)


def write(runs: Runs) -> list[bytes]:
    """COCO's compressed counts, byte for byte as `pycocotools.mask` writes them.

    >>> write(from_lengths([[3, 2, 1]], Size(2, 3)))
    [b'321']
    """
    return _kernel.write(runs)


def union(runs: Runs, ends: Sequence[int] | Ints) -> Runs:
    """One mask for each group of masks: what any of them covers.

    Args:
        runs: of the parts, those of a group side by side.
        ends: [groups]; where in the masks each group ends (exclusive). A group of none is empty.

    >>> both = union(from_lengths([[0, 1, 5], [4, 2]], Size(2, 3)), [2])
    >>> both.lengths.tolist()
    [0, 1, 3, 2]
    """
    return _kernel.union(runs, group_ends(ends, len(runs)))


def resize(
    runs: Runs, new: Size, rows: Sequence[int] | Ints, columns: Sequence[int] | Ints
) -> Runs:
    """The masks at another size, each pixel taken from one pixel: smaller, larger, or both.

    Args:
        runs: at the source's size.
        new: of the result.
        rows: [new.height]; the row of the source that each row is taken from, in order. The
            caller has it from whatever resizes the photo, for the two to agree at every tie.
        columns: [new.width]; the same for columns.
    """
    return _kernel.resize(runs, *tables(runs.size, new, rows, columns))


def turn(runs: Runs, orientation: int) -> Runs:
    """The masks upright, from the pixels of a photo of this EXIF orientation (1 to 8).

    >>> turn(from_lengths([[1, 1, 4]], Size(2, 3)), 6).lengths.tolist()
    [0, 1, 5]
    """
    if orientation not in range(1, 9):
        raise ValueError(f"an EXIF orientation is 1 to 8, not {orientation}")
    return runs if orientation == 1 else _kernel.turn(runs, orientation)


def boxes(runs: Runs) -> NDArray[np.float64]:
    """The tightest half-open boxes: float64 [masks, 4] of x0, y0, x1, y1; zeros for no pixels.

    >>> boxes(from_lengths([[1, 1, 4]], Size(2, 3))).tolist()
    [[0.0, 1.0, 1.0, 2.0]]
    """
    return _kernel.boxes(runs)


def areas(runs: Runs) -> Ints:
    """Pixels that are set: int64 [masks].

    >>> areas(from_lengths([[1, 1, 4], [0, 6]], Size(2, 3))).tolist()
    [1, 6]
    """
    first = np.concatenate(([0], runs.ends))[: len(runs)]
    nth = np.arange(runs.lengths.size) - np.repeat(first, np.diff(runs.ends, prepend=0))
    ones = np.where(nth % 2, runs.lengths, 0).astype(np.int64)
    return np.add.reduceat(ones, first) if len(runs) else ones


def paint(
    runs: Runs,
    out: NDArray[np.uint8] | NDArray[np.bool_],
    chosen: Sequence[int] | Ints | None = None,
) -> None:
    """Write the masks as 0 and 1 into an array that the caller has: a loader's batch, say.

    Args:
        runs: the masks.
        out: uint8 or bool [masks, height, width], every byte of which is written; may be a part
            of a larger array if each row lies in one piece.
        chosen: [masks of `out`]; the numbers of the masks to paint, in this order; all if absent.
    """
    number = len(runs)
    masks = np.arange(number) if chosen is None else ints(chosen)
    if masks.ndim != 1 or (masks.size and not 0 <= masks.min() <= masks.max() < number):
        raise ValueError(f"a chosen mask is none of the {number} there are")
    expected = (masks.size, runs.size.height, runs.size.width)
    if out.shape != expected or out.dtype not in (np.uint8, np.bool_):
        raise ValueError(f"expected uint8 or bool {expected}, not {out.dtype} {out.shape}")
    if out.size and out.shape[2] > 1 and out.strides[2] != 1:
        raise ValueError("the pixels of a row do not lie in one piece")
    if out.size:
        _kernel.paint(runs, out.view(np.uint8), masks)


def trace(masks: NDArray[np.bool_]) -> Runs:
    """Masks from pixels: bool [masks, height, width].

    >>> trace(np.array([[[False, True], [False, False]]])).lengths.tolist()
    [2, 1, 1]
    """
    if masks.ndim != 3 or masks.dtype != np.bool_:  # noqa: PLR2004
        raise ValueError(f"expected bool [masks, height, width], not {masks.dtype} {masks.shape}")
    pixels(Size(*masks.shape[1:]))
    return _kernel.trace(masks if masks.strides[2] == 1 else np.ascontiguousarray(masks))


def reduce(
    groups: Sequence[Sequence[bytes]],
    size: Size,
    new: Size,
    rows: Sequence[int] | Ints,
    columns: Sequence[int] | Ints,
) -> list[bytes]:
    """A photo's masks at its stored size: `write(resize(union(parse(...))))` in one call.

    Args:
        groups: the parts of each mask, as compressed counts at `size`; a mask of none is empty.
        size: of the annotated photo.
        new: of the stored one.
        rows: as in `resize`.
        columns: as in `resize`.

    Returns:
        The compressed counts of each mask at `new`.

    Raises:
        MaskError: naming the first part that is no mask, counted over all groups.
    """
    pixels(size)
    counts = [part for parts in groups for part in parts]
    ends = np.cumsum([len(parts) for parts in groups], dtype=np.int64)
    return _kernel.reduce(counts, ends, size, *tables(size, new, rows, columns))
