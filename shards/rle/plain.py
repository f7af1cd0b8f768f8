"""The kernel on numpy alone. Each function is described where `shards.rle` calls it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.rle.edges import edges_of, masks_of, settle
from shards.rle.plain_text import parse, write
from shards.rle.runs import Runs, pixels, turned
from shards.sample import Size

__all__ = ["boxes", "paint", "parse", "reduce", "resize", "trace", "turn", "union", "write"]

Ints = NDArray[np.int64]


def union(runs: Runs, groups: Ints) -> Runs:
    """See `shards.rle.union`."""
    stride = pixels(runs.size) + 1
    masks = masks_of(runs)
    group_of = np.repeat(np.arange(groups.size), np.diff(groups, prepend=0))  # [masks]
    edges = edges_of(runs) + (group_of - np.arange(len(runs)))[masks] * stride
    first = np.concatenate(([0], runs.ends[:-1]))[: len(runs)]
    opens = (np.arange(edges.size) - first[masks]) % 2 == 0
    steps = np.where(opens, 1, -1)
    steps[runs.ends[opens[runs.ends - 1]] - 1] = 0  # the end of a mask that is 0 there
    ends = np.arange(1, groups.size + 1) * stride - 1
    edges = np.concatenate((edges, ends))
    steps = np.concatenate((steps, np.zeros_like(ends)))
    order = np.argsort(edges, kind="stable")
    edges = edges[order]
    depth = np.cumsum(steps[order])  # how many masks cover the pixels from here on
    last = np.append(edges[1:] != edges[:-1], [True] * bool(edges.size))
    edges, covered = edges[last], depth[last] > 0
    changes = np.diff(covered, prepend=False)
    changes[np.searchsorted(edges, ends)] = True
    return settle(edges[changes], groups.size, runs.size)


def resize(runs: Runs, rows: Ints, columns: Ints) -> Runs:
    """See `shards.rle.resize`."""
    new = Size(rows.size, columns.size)
    height, width = runs.size.height, runs.size.width
    stride = pixels(new) + 1
    above = np.searchsorted(rows, np.arange(height + 1))  # target rows above a source row
    before = np.searchsorted(columns, np.arange(width + 2))  # target columns before
    if (np.diff(before) <= 1).all():
        masks = masks_of(runs)
        column, row = np.divmod(edges_of(runs) - masks * (pixels(runs.size) + 1), height)
        inside = np.where(before[column + 1] > before[column], above[row], 0)
        return settle(before[column] * new.height + inside + masks * stride, len(runs), new)
    masks, column, top, bottom = _segments(runs)
    top, bottom = above[top], above[bottom]
    copies = before[column + 1] - before[column]
    begins = np.cumsum(copies) - copies
    nth = np.arange(int(copies.sum())) - np.repeat(begins, copies)
    base = masks * stride + before[column] * new.height
    place = np.repeat(base, copies) + nth * new.height
    edges = np.stack((place + np.repeat(top, copies), place + np.repeat(bottom, copies)))
    return _gather(edges, len(runs), new)


def turn(runs: Runs, orientation: int) -> Runs:
    """See `shards.rle.turn`."""
    size = turned(runs.size, orientation)
    if size is not runs.size:
        runs = _transpose(runs)
    masks, column, top, bottom = _segments(runs)
    if orientation in {2, 4, 6, 8}:  # upside down
        top, bottom = size.height - bottom, size.height - top
    if orientation in {2, 3, 6, 7}:  # by half a turn
        column = size.width - 1 - column
        top, bottom = size.height - bottom, size.height - top
    place = masks * (pixels(size) + 1) + column * size.height
    return _gather(np.stack((place + top, place + bottom)), len(runs), size)


def boxes(runs: Runs) -> NDArray[np.float64]:
    """See `shards.rle.boxes`."""
    masks, column, top, bottom = _segments(runs)
    found = np.zeros((len(runs), 4))
    for corner, (pick, values) in enumerate(
        ((np.minimum, column), (np.minimum, top), (np.maximum, column + 1), (np.maximum, bottom))
    ):
        if pick is np.minimum:
            found[masks, corner] = np.inf
        pick.at(found[:, corner], masks, values)
    return found


def paint(runs: Runs, out: NDArray[np.uint8], chosen: Ints) -> None:
    """See `shards.rle.paint`; `out` is uint8 [chosen, height, width]."""
    height, width = runs.size.height, runs.size.width
    first = np.concatenate(([0], runs.ends))
    for picture, mask in zip(out, chosen.tolist(), strict=True):
        lengths = runs.lengths[first[mask] : first[mask + 1]]
        ones = np.arange(lengths.size, dtype=np.uint8) % 2
        picture[...] = np.repeat(ones, lengths).reshape(width, height).T


def trace(masks: NDArray[np.bool_]) -> Runs:
    """See `shards.rle.trace`."""
    count, height, width = masks.shape
    size = Size(height, width)
    stride = pixels(size) + 1
    # [masks, pixels + 1], column-major; the place before the first pixel is 0
    flat = np.zeros((count, stride), np.bool_)
    flat[:, 1:] = masks.transpose(0, 2, 1).reshape(count, stride - 1)
    mask, place = np.nonzero(flat[:, 1:] != flat[:, :-1])
    return _gather(mask * stride + place, count, size)


def reduce(
    counts: Sequence[bytes], groups: Ints, size: Size, rows: Ints, columns: Ints
) -> list[bytes]:
    """See `shards.rle.reduce`; the masks of all groups one after another."""
    # The nearest pixel of a union is the union of the nearest pixels: resized first, it is less.
    runs = resize(parse(counts, size), rows, columns)
    alone = np.array_equal(groups, np.arange(1, len(runs) + 1))
    return write(runs if alone else union(runs, groups))


def _gather(edges: Ints, masks: int, size: Size) -> Runs:
    ends = np.arange(1, masks + 1) * (pixels(size) + 1) - 1
    return settle(np.sort(np.concatenate((edges.reshape(-1), ends))), masks, size)


def _segments(runs: Runs) -> tuple[Ints, Ints, Ints, Ints]:
    """The 1s, cut at the columns: mask, column, first row, last row (exclusive), each [segments].

    In order of mask, column and row.
    """
    height = runs.size.height
    masks = masks_of(runs)
    stops = edges_of(runs) - masks * (pixels(runs.size) + 1)
    first = np.concatenate(([0], runs.ends[:-1]))[: len(runs)]
    ones = np.flatnonzero((np.arange(stops.size) - first[masks]) % 2)
    stop, start, mask = stops[ones], stops[ones - 1], masks[ones]
    left, right = start // height, (stop - 1) // height  # columns, both inclusive
    spans = right - left + 1
    ends = np.cumsum(spans)
    column = np.arange(int(spans.sum())) - np.repeat(ends - spans - left, spans)
    top, bottom = np.zeros_like(column), np.full_like(column, height)
    top[ends - spans] = start - left * height
    bottom[ends - 1] = stop - right * height
    return np.repeat(mask, spans), column, top, bottom


def _transpose(runs: Runs) -> Runs:
    """The mask with rows for columns: its row-major edges are where neighbouring columns differ."""
    height, width = runs.size.height, runs.size.width
    masks, column, top, bottom = _segments(runs)
    # Where column x - 1 and column x differ, for x of 0 to width: their ends that do not cancel.
    place = (masks * (width + 1) + column) * (height + 1)
    ends = np.stack((place + top, place + bottom)).reshape(-1)
    ends = np.sort(np.concatenate((ends, ends + height + 1)))
    same = np.concatenate(([False], ends[1:] == ends[:-1])) if ends.size else np.zeros(0, np.bool_)
    first = np.flatnonzero(~same)
    ends = ends[first][np.diff(first, append=ends.size) % 2 == 1]
    start, stop = ends[0::2], ends[1::2]  # of one column each, since each has an even number
    spans = stop - start
    begins = np.cumsum(spans) - spans
    at = np.arange(int(spans.sum())) + np.repeat(start - begins, spans)
    rest, row = np.divmod(at, height + 1)
    mask, x = np.divmod(rest, width + 1)
    size = Size(width, height)
    return _gather(mask * (pixels(size) + 1) + row * width + x, len(runs), size)
