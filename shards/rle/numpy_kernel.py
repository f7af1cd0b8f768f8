"""The kernel on numpy alone. `shards.rle.kernel.Kernel` describes its functions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.rle.numpy_counts import decode_counts, encode_counts
from shards.rle.numpy_edges import IntArray, LengthsEnds, Masks, edges_of, masks_of, to_runs

__all__ = [
    "apply_orientation", "boxes", "decode_counts", "encode_counts", "from_pixels", "paint",
    "resize", "resize_counts", "union",
]  # fmt: skip


def union(masks: Masks, groups: IntArray) -> LengthsEnds:
    """See `shards.rle.union`."""
    lengths, ends, height, width = masks
    area = height * width
    mask = masks_of(ends)
    group_of = np.repeat(np.arange(groups.size), np.diff(groups, prepend=0))  # [masks]
    edges = edges_of(lengths, ends) + (group_of - np.arange(ends.size))[mask] * (area + 1)
    first = np.concatenate(([0], ends[:-1]))[: ends.size]
    opens = (np.arange(edges.size) - first[mask]) % 2 == 0
    steps = np.where(opens, 1, -1)
    steps[ends[opens[ends - 1]] - 1] = 0  # the end of a mask that is 0 there
    group_ends = np.arange(1, groups.size + 1) * (area + 1) - 1
    edges = np.concatenate((edges, group_ends))
    steps = np.concatenate((steps, np.zeros_like(group_ends)))
    order = np.argsort(edges, kind="stable")
    edges = edges[order]
    depth = np.cumsum(steps[order])  # number of masks that cover the pixels from here on
    last = np.append(edges[1:] != edges[:-1], [True] * bool(edges.size))
    edges, covered = edges[last], depth[last] > 0
    changes = np.diff(covered, prepend=False)
    changes[np.searchsorted(edges, group_ends)] = True
    return to_runs(edges[changes], groups.size, area)


def resize(masks: Masks, rows: IntArray, columns: IntArray) -> LengthsEnds:
    """See `shards.rle.resize`."""
    lengths, ends, height, width = masks
    new_area = rows.size * columns.size
    above = np.searchsorted(rows, np.arange(height + 1))  # target rows above a source row
    before = np.searchsorted(columns, np.arange(width + 2))  # target columns before
    if (np.diff(before) <= 1).all():
        mask = masks_of(ends)
        edges = edges_of(lengths, ends) - mask * (height * width + 1)
        column, row = np.divmod(edges, height)
        inside = np.where(before[column + 1] > before[column], above[row], 0)
        edges = before[column] * rows.size + inside + mask * (new_area + 1)
        return to_runs(edges, ends.size, new_area)
    mask, column, top, bottom = _segments(masks)
    top, bottom = above[top], above[bottom]
    copies = before[column + 1] - before[column]
    begins = np.cumsum(copies) - copies
    nth = np.arange(int(copies.sum())) - np.repeat(begins, copies)
    base = mask * (new_area + 1) + before[column] * rows.size
    start = np.repeat(base, copies) + nth * rows.size
    edges = np.stack((start + np.repeat(top, copies), start + np.repeat(bottom, copies)))
    return _sort_edges(edges, ends.size, new_area)


def apply_orientation(masks: Masks, orientation: int) -> LengthsEnds:
    """See `shards.rle.apply_orientation`."""
    if orientation in {5, 6, 7, 8}:
        _, _, height, width = masks
        masks = (*_transpose(masks), width, height)
    _, ends, height, width = masks
    mask, column, top, bottom = _segments(masks)
    if orientation in {2, 4, 6, 8}:  # flip the rows
        top, bottom = height - bottom, height - top
    if orientation in {2, 3, 6, 7}:  # rotate by 180 degrees
        column = width - 1 - column
        top, bottom = height - bottom, height - top
    start = mask * (height * width + 1) + column * height
    return _sort_edges(np.stack((start + top, start + bottom)), ends.size, height * width)


def boxes(masks: Masks) -> NDArray[np.float64]:
    """See `shards.rle.boxes`."""
    mask, column, top, bottom = _segments(masks)
    corners = np.zeros((masks[1].size, 4))
    for corner, (extreme, values) in enumerate(
        ((np.minimum, column), (np.minimum, top), (np.maximum, column + 1), (np.maximum, bottom))
    ):
        if extreme is np.minimum:
            corners[mask, corner] = np.inf
        extreme.at(corners[:, corner], mask, values)
    return corners


def paint(masks: Masks, selected: IntArray, out: NDArray[np.uint8]) -> None:
    """See `shards.rle.paint`; `out` is uint8 [selected, height, width]."""
    lengths, ends, height, width = masks
    first = np.concatenate(([0], ends))
    for picture, index in zip(out, selected.tolist(), strict=True):
        runs = lengths[first[index] : first[index + 1]]
        ones = np.arange(runs.size, dtype=np.uint8) % 2
        picture[...] = np.repeat(ones, runs).reshape(width, height).T


def from_pixels(masks: NDArray[np.bool_]) -> LengthsEnds:
    """See `shards.rle.from_pixels`."""
    count, height, width = masks.shape
    area = height * width
    # [masks, area + 1], column-major; the position before the first pixel is 0
    flat = np.zeros((count, area + 1), np.bool_)
    flat[:, 1:] = masks.transpose(0, 2, 1).reshape(count, area)
    mask, position = np.nonzero(flat[:, 1:] != flat[:, :-1])
    return _sort_edges(mask * (area + 1) + position, count, area)


def resize_counts(
    counts: Sequence[bytes],
    groups: IntArray,
    size: tuple[int, int],
    rows: IntArray,
    columns: IntArray,
) -> list[bytes] | None:
    """See `shards.rle.resize_counts`; the masks of all groups one after another."""
    decoded = decode_counts(counts, size)
    if decoded is None:
        return None
    # The nearest pixel of a union is the union of the nearest pixels: resizing first is cheaper.
    resized = resize((*decoded, *size), rows, columns)
    if not np.array_equal(groups, np.arange(1, len(counts) + 1)):
        resized = union((*resized, rows.size, columns.size), groups)
    return encode_counts((*resized, rows.size, columns.size))


def _sort_edges(edges: IntArray, masks: int, area: int) -> LengthsEnds:
    """The runs of edges in any order, without the ends of the masks."""
    ends = np.arange(1, masks + 1) * (area + 1) - 1
    return to_runs(np.sort(np.concatenate((edges.reshape(-1), ends))), masks, area)


def _segments(masks: Masks) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The 1s, cut at the columns: mask, column, first row, last row (exclusive), each [segments].

    In order of mask, column and row.
    """
    lengths, ends, height, width = masks
    mask = masks_of(ends)
    stops = edges_of(lengths, ends) - mask * (height * width + 1)
    first = np.concatenate(([0], ends[:-1]))[: ends.size]
    ones = np.flatnonzero((np.arange(stops.size) - first[mask]) % 2)
    stop, start, mask = stops[ones], stops[ones - 1], mask[ones]
    left, right = start // height, (stop - 1) // height  # columns, both inclusive
    spans = right - left + 1
    span_ends = np.cumsum(spans)
    column = np.arange(int(spans.sum())) - np.repeat(span_ends - spans - left, spans)
    top, bottom = np.zeros_like(column), np.full_like(column, height)
    top[span_ends - spans] = start - left * height
    bottom[span_ends - 1] = stop - right * height
    return np.repeat(mask, spans), column, top, bottom


def _transpose(masks: Masks) -> LengthsEnds:
    """The masks with rows for columns.

    A row changes where two neighbouring columns differ. So the edges of the result are the rows
    where column x - 1 and column x differ, for x of 0 to width: their ends that do not cancel.
    """
    _, ends, height, width = masks
    mask, column, top, bottom = _segments(masks)
    start = (mask * (width + 1) + column) * (height + 1)
    cuts = np.stack((start + top, start + bottom)).reshape(-1)
    cuts = np.sort(np.concatenate((cuts, cuts + height + 1)))
    same = np.concatenate(([False], cuts[1:] == cuts[:-1])) if cuts.size else np.zeros(0, np.bool_)
    first = np.flatnonzero(~same)
    cuts = cuts[first][np.diff(first, append=cuts.size) % 2 == 1]
    starts, stops = cuts[0::2], cuts[1::2]  # of one column each, since each has an even number
    spans = stops - starts
    begins = np.cumsum(spans) - spans
    rows = np.arange(int(spans.sum())) + np.repeat(starts - begins, spans)
    rest, row = np.divmod(rows, height + 1)
    mask, x = np.divmod(rest, width + 1)
    area = height * width
    return _sort_edges(mask * (area + 1) + row * width + x, ends.size, area)
