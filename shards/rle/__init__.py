"""COCO's run-length masks, computed on the runs: time and memory grow with the runs, not pixels.

Every function takes all masks of a photo at once and returns what the same computation on pixels
returns, bit for bit. A compiled kernel does the work where it is installed (`KERNEL` is then
`compiled`); numpy does the same elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import MaskError
from shards.rle.errors import explain_counts, explain_lengths
from shards.rle.kernel import KERNEL, KERNEL_MODULE, RunArrays
from shards.rle.numpy_counts import merge_empty
from shards.rle.numpy_edges import IntArray, Masks
from shards.sample import Size

__all__ = [
    "KERNEL", "MAX_SIDE", "Runs", "apply_orientation", "areas", "boxes", "count_pixels",
    "decode_counts", "encode_counts", "from_lengths", "from_pixels", "paint", "resize",
    "resize_counts", "union", "upright_size",
]  # fmt: skip

MAX_SIDE = 65535
"""Pixels: the side of the largest JPEG. A position in a mask then fits 32 bits, with one value to
spare, and a size from an untrusted file allocates no large tables."""

_FIRST_TRANSPOSED = 5

_kernel = KERNEL_MODULE


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Masks of one size, as run lengths.

    The functions of `shards.rle` return canonical runs: no run but the first of a mask is 0, and
    the runs of each mask cover its size. Equal masks then have equal runs.

    Attributes:
        lengths: uint32 [runs]; of all masks one after another, each column by column and
            beginning with 0s, as COCO has them.
        ends: int64 [masks]; where in `lengths` each mask ends (exclusive).
    """

    size: Size
    lengths: NDArray[np.uint32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of masks."""
        return self.ends.size


def count_pixels(size: Size) -> int:
    """Number of pixels of a mask of this size.

    Raises:
        MaskError: if a side is not positive, or longer than `MAX_SIDE`.
    """
    if size.height <= 0 or size.width <= 0:
        raise MaskError(f"a mask of {size} has no pixels")
    if size.height > MAX_SIDE or size.width > MAX_SIDE:
        raise MaskError(f"a mask of {size} is larger than any picture")
    return size.height * size.width


def upright_size(size: Size, orientation: int) -> Size:
    """The size after an EXIF orientation is applied: 5 to 8 exchange rows and columns.

    >>> upright_size(Size(2, 3), 6)
    Size(height=3, width=2)
    """
    return Size(size.width, size.height) if orientation >= _FIRST_TRANSPOSED else size


def decode_counts(counts: Sequence[bytes], size: Size) -> Runs:
    """Masks from COCO's compressed counts, of any writer.

    Empty runs in the middle, which some writers leave behind, are merged away.

    Raises:
        MaskError: naming the first mask whose counts are cut short, negative, too long, or do not
            cover the size.

    >>> decode_counts([b"321"], Size(2, 3)).lengths.tolist()
    [3, 2, 1]
    """
    count_pixels(size)
    arrays = _kernel.decode_counts(tuple(counts), (size.height, size.width))
    if arrays is None:
        raise explain_counts(counts, size)
    return _to_runs(size, arrays)


def encode_counts(runs: Runs) -> list[bytes]:
    """COCO's compressed counts, byte for byte as `pycocotools.mask` writes them.

    >>> encode_counts(from_lengths([[3, 2, 1]], Size(2, 3)))
    [b'321']
    """
    return _kernel.encode_counts(_buffers(runs))


def from_lengths(lengths: Sequence[Sequence[int]], size: Size) -> Runs:
    """Masks from COCO's uncompressed counts: run lengths that begin with 0s, of any writer.

    Raises:
        MaskError: naming the first mask whose lengths are not whole numbers that cover the size.

    >>> from_lengths([[1, 0, 2, 3]], Size(2, 3)).lengths.tolist()
    [3, 3]
    """
    area = count_pixels(size)
    masks = [_check_lengths(number, runs, size) for number, runs in enumerate(lengths)]
    counts = np.array([runs.size for runs in masks], np.int64)
    if not masks:
        return Runs(size, np.zeros(0, np.uint32), counts)
    return Runs(size, *merge_empty(np.concatenate(masks), np.cumsum(counts) - counts, area))


def union(runs: Runs, ends: Sequence[int] | IntArray) -> Runs:
    """One mask for each group of masks: the pixels that any of them covers.

    Args:
        runs: of the parts, those of a group side by side.
        ends: [groups]; where in the masks each group ends (exclusive). An empty group gives an
            empty mask.

    >>> both = union(from_lengths([[0, 1, 5], [4, 2]], Size(2, 3)), [2])
    >>> both.lengths.tolist()
    [0, 1, 3, 2]
    """
    groups = _ints(ends)
    steps = np.diff(groups, prepend=0, append=len(runs))
    if groups.ndim != 1 or (steps < 0).any() or steps[-1]:
        raise ValueError(
            f"groups that end at {groups} do not take each of {len(runs)} masks once, in order"
        )
    return _to_runs(runs.size, _kernel.union(_buffers(runs), groups))


def resize(
    runs: Runs, new: Size, rows: Sequence[int] | IntArray, columns: Sequence[int] | IntArray
) -> Runs:
    """The masks at another size, each pixel taken from one pixel: smaller, larger, or both.

    Args:
        runs: at the source's size.
        new: of the result.
        rows: [new.height]; the source row that each row is taken from, in order. Take it from the
            library that resizes the photo, so that both round the same way.
        columns: [new.width]; the same for columns.
    """
    return _to_runs(new, _kernel.resize(_buffers(runs), *_tables(runs.size, new, rows, columns)))


def apply_orientation(runs: Runs, orientation: int) -> Runs:
    """The masks upright, from the pixels of a photo of this EXIF orientation (1 to 8).

    >>> apply_orientation(from_lengths([[1, 1, 4]], Size(2, 3)), 6).lengths.tolist()
    [0, 1, 5]
    """
    if orientation not in range(1, 9):
        raise ValueError(f"an EXIF orientation is 1 to 8, not {orientation}")
    if orientation == 1:
        return runs
    arrays = _kernel.apply_orientation(_buffers(runs), orientation)
    return _to_runs(upright_size(runs.size, orientation), arrays)


def boxes(runs: Runs) -> NDArray[np.float64]:
    """The tightest half-open boxes: float64 [masks, 4] of x0, y0, x1, y1; zeros for no pixels.

    >>> boxes(from_lengths([[1, 1, 4]], Size(2, 3))).tolist()
    [[0.0, 1.0, 1.0, 2.0]]
    """
    return np.frombuffer(_kernel.boxes(_buffers(runs)), np.float64).reshape(-1, 4)


def areas(runs: Runs) -> IntArray:
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
    selected: Sequence[int] | IntArray | None = None,
) -> None:
    """Write the masks as 0 and 1 into an existing array, such as a loader's batch.

    Args:
        runs: the masks.
        out: uint8 or bool [masks, height, width], every byte of which is written; may be a view
            of a larger array if each row is contiguous.
        selected: [masks of `out`]; the indexes of the masks to paint, in this order; by default
            all.

    >>> out = np.zeros((1, 2, 3), np.uint8)
    >>> paint(from_lengths([[1, 3, 2]], Size(2, 3)), out)
    >>> out[0].tolist()
    [[0, 1, 0], [1, 1, 0]]
    """
    number = len(runs)
    masks = np.arange(number) if selected is None else _ints(selected)
    if masks.ndim != 1 or (masks.size and not 0 <= masks.min() <= masks.max() < number):
        raise ValueError(f"expected indexes of masks below {number}, found {selected}")
    expected = (masks.size, runs.size.height, runs.size.width)
    if out.shape != expected or out.dtype not in (np.uint8, np.bool_):
        raise ValueError(f"expected uint8 or bool {expected}, found {out.dtype} {out.shape}")
    if out.size and out.shape[2] > 1 and out.strides[2] != 1:
        raise ValueError(f"expected contiguous rows, found strides {out.strides}")
    if out.size:
        _kernel.paint(_buffers(runs), masks, out.view(np.uint8))


def from_pixels(masks: NDArray[np.bool_]) -> Runs:
    """Masks from pixels: bool [masks, height, width].

    >>> from_pixels(np.array([[[False, True], [False, False]]])).lengths.tolist()
    [2, 1, 1]
    """
    if masks.ndim != 3 or masks.dtype != np.bool_:  # noqa: PLR2004
        raise ValueError(f"expected bool [masks, height, width], found {masks.dtype} {masks.shape}")
    size = Size(*masks.shape[1:])
    count_pixels(size)
    rows = masks if masks.strides[2] == 1 else np.ascontiguousarray(masks)
    return _to_runs(size, _kernel.from_pixels(rows))


def resize_counts(
    groups: Sequence[Sequence[bytes]],
    size: Size,
    new: Size,
    rows: Sequence[int] | IntArray,
    columns: Sequence[int] | IntArray,
) -> list[bytes]:
    """A photo's masks at its stored size: decode, unite, resize and encode in one call.

    Args:
        groups: the parts of each mask, as compressed counts at `size`; a mask without parts is
            empty.
        size: of the annotated photo.
        new: of the stored one.
        rows: see `resize`.
        columns: see `resize`.

    Returns:
        The compressed counts of each mask at `new`.

    Raises:
        MaskError: naming the first part that is not a mask, counted over all groups.
    """
    count_pixels(size)
    counts = tuple(part for parts in groups for part in parts)
    ends = np.cumsum([len(parts) for parts in groups], dtype=np.int64)
    tables = _tables(size, new, rows, columns)
    resized = _kernel.resize_counts(counts, ends, (size.height, size.width), *tables)
    if resized is None:
        raise explain_counts(counts, size)
    return resized


def _to_runs(size: Size, arrays: RunArrays) -> Runs:
    lengths, ends = arrays
    return Runs(size, np.frombuffer(lengths, np.uint32), np.frombuffer(ends, np.int64))


def _buffers(runs: Runs) -> Masks:
    """Masks as a kernel takes them: contiguous, aligned arrays of the right type, and the size."""
    lengths = np.require(runs.lengths, np.uint32, ("C", "A"))
    return lengths, _ints(runs.ends), runs.size.height, runs.size.width


def _ints(numbers: Sequence[int] | IntArray) -> IntArray:
    return np.require(numbers, np.int64, ("C", "A"))


def _tables(
    size: Size, new: Size, rows: Sequence[int] | IntArray, columns: Sequence[int] | IntArray
) -> tuple[IntArray, IntArray]:
    """The tables of a resize, checked: sorted, and inside the source."""
    count_pixels(new)
    return _table("row", rows, size.height, new.height), _table(
        "column", columns, size.width, new.width
    )


def _table(kind: str, values: Sequence[int] | IntArray, old: int, new: int) -> IntArray:
    table = _ints(values)
    if table.shape != (new,) or table[0] < 0 or table[-1] >= old or (table[1:] < table[:-1]).any():
        raise ValueError(f"expected a table of {new} {kind}s below {old}, sorted")
    return table


def _check_lengths(number: int, lengths: Sequence[int], size: Size) -> IntArray:
    try:
        runs = np.asarray(lengths)
    except ValueError as error:  # lists of several lengths inside
        raise MaskError(f"mask {number}: its run lengths are not one list") from error
    if runs.ndim != 1 or (runs.size and runs.dtype.kind not in "iu"):
        raise MaskError(f"mask {number}: its run lengths are not whole numbers of 64 bits")
    area = count_pixels(size)
    # Each run first: the sum could overflow and look right.
    if not runs.size or runs.min() < 0 or runs.max() > area or runs.sum() != area:
        raise MaskError(f"mask {number}: {explain_lengths(runs.tolist(), size)}")
    return runs.astype(np.int64)
