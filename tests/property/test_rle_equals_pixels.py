"""Operations on runs give what the same operations on pixels give, bit for bit, in both kernels."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from convert.sample.masks import nearest
from shards import rle
from shards.rle.kernel import choose_kernel
from shards.sample import Size
from tests.property.strategies import masks

try:
    KERNELS = {"numpy": choose_kernel("numpy")[1], "compiled": choose_kernel("compiled")[1]}
except ImportError:
    KERNELS = {"numpy": choose_kernel("numpy")[1]}

TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

either = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
sides = st.integers(1, 40)


@st.composite
def photos(draw, most=4) -> np.ndarray:
    """The masks of a photo: bool [masks, height, width], which may be none."""
    size = Size(draw(sides), draw(sides))
    drawn = [draw(masks(size)) for _ in range(draw(st.integers(0, most)))]
    return np.array(drawn, bool).reshape(-1, size.height, size.width)


def _size(photo) -> Size:
    return Size(*photo.shape[1:])


def _coco(photo) -> list[bytes]:
    return [
        one["counts"] for one in coco_mask.encode(photo.transpose(1, 2, 0).copy("F").view("u1"))
    ]


def _same(runs, photo) -> None:
    assert runs.size == _size(photo)
    assert (runs.lengths.dtype, runs.ends.dtype) == (np.uint32, np.int64)
    assert rle.encode_counts(runs) == _coco(photo)
    starts = np.concatenate(([0], runs.ends))
    inner = np.setdiff1d(np.arange(runs.lengths.size), starts)
    assert (runs.lengths[inner] > 0).all()


def _pil_resize(photo, new) -> np.ndarray:
    size = (new.width, new.height)
    small = [
        np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)) for mask in photo
    ]
    return np.array(small, bool).reshape(-1, new.height, new.width)


def _tables(size, new) -> tuple[np.ndarray, np.ndarray]:
    return nearest(size.height, new.height), nearest(size.width, new.width)


def _everything(photo) -> None:
    runs = rle.from_pixels(photo)
    size = _size(photo)
    _same(runs, photo)
    counts = rle.encode_counts(runs)
    parsed = rle.decode_counts(counts, size)
    assert np.array_equal(parsed.lengths, runs.lengths)
    assert np.array_equal(parsed.ends, runs.ends)
    assert np.array_equal(rle.areas(runs), photo.sum(axis=(1, 2)))
    assert rle.areas(runs).tolist() == [
        int(coco_mask.area({"size": list(photo.shape[1:]), "counts": one})) for one in counts
    ]
    corners = np.array(
        [coco_mask.toBbox({"size": list(photo.shape[1:]), "counts": one}) for one in counts]
    ).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    assert np.array_equal(rle.boxes(runs), corners)
    out = np.full(photo.shape, 7, np.uint8)
    rle.paint(runs, out)
    assert np.array_equal(out, photo)
    for orientation, transpose in TRANSPOSES.items():
        upright = [np.array(Image.fromarray(mask).transpose(transpose)) for mask in photo]
        upright_runs = rle.apply_orientation(runs, orientation)
        expected = rle.upright_size(size, orientation)
        _same(upright_runs, np.array(upright, bool).reshape(-1, expected.height, expected.width))
    assert rle.apply_orientation(runs, 1) is runs
    for new in (Size(max(1, size.height // 2), max(1, size.width // 3)), size):
        rows, columns = _tables(size, new)
        _same(rle.resize(runs, new, rows, columns), _pil_resize(photo, new))
    united = photo.any(axis=0, keepdims=True)
    _same(rle.union(runs, [len(photo)]), united)


def _one(height, width, *pixels) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


SPECIAL = {
    "one pixel": [_one(1, 1, (0, 0)), _one(1, 1)],
    "empty and full": [_one(30, 40), np.ones((30, 40), bool), _one(30, 40)],
    "first pixel": [_one(30, 40, (0, 0)), np.ones((30, 40), bool)],
    "last pixel": [_one(30, 40, (29, 39)), _one(30, 40, (0, 0), (29, 39))],
    "one row": [_one(1, 40, (0, 7), (0, 8)), _one(1, 40, (0, 0)), np.ones((1, 40), bool)],
    "one column": [_one(40, 1, (7, 0), (39, 0)), _one(40, 1), np.ones((40, 1), bool)],
    "60,000 runs": [(np.arange(120_000) % 4 < 2).reshape(300, 400, order="F")] * 2,
    "a run of a million": [_one(1100, 1000, (1099, 999)), _one(1100, 1000, (5, slice(0, 9)))],
}


@either
@pytest.mark.parametrize("photo", SPECIAL.values(), ids=SPECIAL)
def test_special_masks(kernel, photo) -> None:
    with patch.object(rle, "_kernel", kernel):
        _everything(np.array(photo))


@either
@settings(max_examples=60)
@given(photos())
def test_any_masks(kernel, photo) -> None:
    with patch.object(rle, "_kernel", kernel):
        _everything(photo)


@either
@settings(max_examples=80)
@given(photos(), sides, sides)
def test_resized_as_pillow_does(kernel, photo, height, width) -> None:
    new = Size(height, width)
    with patch.object(rle, "_kernel", kernel):
        rows, columns = _tables(_size(photo), new)
        _same(rle.resize(rle.from_pixels(photo), new, rows, columns), _pil_resize(photo, new))


@either
@settings(max_examples=80)
@given(photos(), st.data())
def test_resized_by_any_table(kernel, photo, data) -> None:
    """Any sorted table: crops, enlarges and drops pixels at once."""
    rows, columns = (
        np.array(sorted(data.draw(st.lists(st.integers(0, old - 1), min_size=1, max_size=30))))
        for old in photo.shape[1:]
    )
    with patch.object(rle, "_kernel", kernel):
        new = Size(rows.size, columns.size)
        runs = rle.resize(rle.from_pixels(photo), new, rows, columns)
        _same(runs, photo[:, rows[:, None], columns])


@either
@settings(max_examples=80)
@given(photos(most=9), st.data())
def test_union_and_resize_counts(kernel, photo, data) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(photo)), max_size=4)))
    ends = [*cuts, len(photo)]
    starts = [0, *cuts]
    parts = [photo[start:end] for start, end in zip(starts, ends, strict=True)]
    united = np.array([part.any(axis=0) for part in parts])
    size, new = _size(photo), Size(data.draw(sides), data.draw(sides))
    counts = _coco(photo)
    groups = [counts[start:end] for start, end in zip(starts, ends, strict=True)]
    with patch.object(rle, "_kernel", kernel):
        _same(rle.union(rle.decode_counts(counts, size), ends), united)
        for stored in (new, size):
            resized = rle.resize_counts(groups, size, stored, *_tables(size, stored))
            assert resized == _coco(_pil_resize(united, stored))


@either
@settings(max_examples=40)
@given(photos(), st.data())
def test_painted_into_a_slice_of_a_batch(kernel, photo, data) -> None:
    selected = data.draw(
        st.lists(st.integers(0, len(photo) - 1), max_size=5) if len(photo) else st.just([])
    )
    count = len(selected)
    height, width = photo.shape[1:]
    batch = np.full((count + 1, height + 2, width + 3), 7, np.uint8)
    with patch.object(rle, "_kernel", kernel):
        rle.paint(rle.from_pixels(photo), batch[1:, 1:-1, 2:-1], selected)
        bools = np.ones((count, height, width), np.bool_)
        rle.paint(rle.from_pixels(photo), bools, selected)
    assert np.array_equal(batch[1:, 1:-1, 2:-1], photo[selected])
    assert np.array_equal(bools, photo[selected])
    batch[1:, 1:-1, 2:-1] = 7
    assert (batch == 7).all()


@either
@settings(max_examples=20)
@given(photos())
def test_pixels_of_any_layout(kernel, photo) -> None:
    with patch.object(rle, "_kernel", kernel):
        _same(rle.from_pixels(photo[:, ::-1]), photo[:, ::-1])
        _same(rle.from_pixels(photo[:, :, ::-1]), photo[:, :, ::-1])
        _same(rle.from_pixels(photo.transpose(0, 2, 1)), photo.transpose(0, 2, 1))
        odd = (photo.view(np.uint8) * 2).view(np.bool_)  # set, though not by a 1
        _same(rle.from_pixels(odd), photo)
