"""Masks are encoded as by pycocotools, byte for byte; all other bytes are errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.errors import MaskError
from shards.pixels import decode_mask, encode_mask
from shards.sample import Rle, Size
from tests.property.strategies import coco_decode, coco_encode, masks, sizes


def _one(height: int, width: int, *pixels: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


def _stripes(runs: int) -> np.ndarray:
    return (np.arange(2 * runs) % 4 < 2).reshape(40, -1, order="F")


SPECIAL = {
    "one pixel, set": _one(1, 1, (0, 0)),
    "one pixel, clear": _one(1, 1),
    "empty": _one(30, 40),
    "full": np.ones((30, 40), bool),
    "first pixel": _one(30, 40, (0, 0)),
    "last pixel": _one(30, 40, (29, 39)),
    "first and last": _one(30, 40, (0, 0), (29, 39)),
    "one row": _one(1, 40, (0, 7), (0, 8)),
    "one column": _one(40, 1, (7, 0), (39, 0)),
    "60,000 runs": _stripes(60_000),
    "runs of 1 and of 999,999": _one(1000, 2000, (999, 999), (1, 1000)),
    "a picture of 40 million pixels": _one(5000, 8000, (4000, 7000)),
}


@pytest.mark.parametrize("mask", SPECIAL.values(), ids=SPECIAL)
def test_special_masks(mask) -> None:
    rle = encode_mask(mask)
    assert rle == coco_encode(mask)
    assert np.array_equal(decode_mask(rle), mask)


@settings(max_examples=150)
@given(masks())
def test_any_mask(mask) -> None:
    reference = coco_encode(mask)
    assert encode_mask(mask) == reference
    assert np.array_equal(decode_mask(reference), mask)
    assert np.array_equal(coco_decode(encode_mask(mask)), mask)


def _hostile(size: Size, counts: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MaskError):
            decode_mask(Rle(size, counts))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 200 * len(counts)
    finally:
        tracemalloc.stop()


def _number(value: int) -> bytes:
    """Any integer in COCO's printable groups of five bits."""
    groups = bytearray()
    while True:
        group, value = value & 31, value >> 5
        more = value != (-1 if group & 16 else 0)
        groups.append(48 + group + 32 * more)
        if not more:
            return bytes(groups)


def _wrapped(area: int) -> bytes:
    """Runs whose sum is `area` only because 64 bits overflow; no difference takes over 34 bits."""
    pairs = 2**16
    step, rest = divmod(2**64 + area, pairs * (pairs + 1))
    # 0, then s s 2s 2s 3s 3s ...: stored as differences to the run two before.
    return _number(0) + _number(step) * (2 * pairs - 1) + _number(step + rest)


BILLION = Size(10**9, 10**9)
HOSTILE = {
    "nothing": (Size(4, 4), b""),
    "too few": (Size(4, 4), _number(15)),
    "too many": (Size(4, 4), _number(17)),
    "negative first": (Size(4, 4), _number(-1) + _number(17)),
    "negative by difference": (Size(4, 4), b"".join(map(_number, (4, 4, 4, -5, 9)))),
    "unterminated": (Size(4, 4), bytes([48 + 32 + 16])),
    "unterminated after a good one": (Size(4, 4), _number(16) + b"P"),
    "below '0'": (Size(4, 4), b"/" + _number(16)),
    "above 'o'": (Size(4, 4), _number(16) + b"p"),
    "zero bytes": (Size(4, 4), bytes(8)),
    "not ASCII": (Size(4, 4), b"\xff\xfe"),
    "36 bits": (Size(4, 4), b"PPPPPPP0"),
    "a number of a megabyte": (Size(4, 4), b"P" * 1_000_000 + b"0"),
    "no rows": (Size(0, 4), b"0"),
    "negative sides": (Size(-4, -4), _number(16)),
    "a billion by a billion": (BILLION, _number(16)),
    "a side of 300 bits": (Size(2**300, 1), _number(16)),
    "64 bits overflow": (Size(4, 4), _wrapped(16)),
}


@pytest.mark.parametrize(("size", "counts"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_counts(size, counts) -> None:
    _hostile(size, counts)


@settings(max_examples=200)
@given(sizes, st.binary(max_size=40) | st.text("0123456789?@ANOPQ_`o", max_size=40).map(str.encode))
def test_any_bytes_are_a_mask_or_an_error(size, counts) -> None:
    try:
        mask = decode_mask(Rle(size, counts))
    except MaskError:
        return
    assert mask.shape == (size.height, size.width)
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


def test_a_noisy_mask_takes_memory_in_proportion() -> None:
    mask = _stripes(1_000_000)
    tracemalloc.start()
    try:
        encode_mask(mask)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000  # 8 bytes a run, some times over
    finally:
        tracemalloc.stop()
