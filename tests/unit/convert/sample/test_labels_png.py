"""Plain PNGs give the values that Pillow gives; others are left to Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convert.sample.labels import read_plain_png, write_gray_png

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def read(data, max_pixels):
    values = read_plain_png(data, max_pixels)
    assert values is not None
    return values


def chunk(name, content):
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(values, kind=0, *, filters=0, interlace=0, depth=8):
    height, width = values.shape
    rows = np.full((height, width + 1), filters, np.uint8)
    rows[:, 1:] = values
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), chunk(b"PLTE", bytes(768)) if kind == 3 else b"",
         chunk(b"IDAT", zlib.compress(rows.tobytes())), chunk(b"IEND", b"")]
    )  # fmt: skip


VALUES = np.arange(48, dtype=np.uint8).reshape(6, 8)


@given(shapes, st.integers(0, 2**32), st.integers(1, 256))
def test_written_and_read(shape, seed, values):
    pixels = np.random.default_rng(seed).integers(0, values, shape).astype(np.uint8)
    data = write_gray_png(pixels)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(read(data, 1600), pixels)


@pytest.mark.parametrize("data", [png(VALUES), png(VALUES, 3)])
def test_gray_and_palette(data):
    assert np.array_equal(read(data, 48), VALUES)
    assert np.array_equal(pillow(data), VALUES)
    assert read_plain_png(data, 47) is None


GOOD = png(VALUES)
OTHERS = {
    "a filter": png(VALUES, filters=1),
    "interlaced": png(VALUES, interlace=1),
    "RGB": png(np.zeros((6, 24), np.uint8), 2),
    "4 bits": png(VALUES, depth=4),
    "no PNG": b"GIF89a" + GOOD,
    "nothing": b"",
    "signature": GOOD[:8],
    "too many rows": png(np.zeros((7, 8), np.uint8)).replace(
        struct.pack(">II", 8, 7), struct.pack(">II", 8, 6)
    ),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_other_pngs_are_left_to_pillow(data):
    assert read_plain_png(data, 1000) is None


def test_damage_is_never_taken_for_a_map():
    for offset in range(len(GOOD)):
        for bit in range(8):
            damaged = bytearray(GOOD)
            damaged[offset] ^= 1 << bit
            values = read_plain_png(bytes(damaged), 1000)
            assert values is None or np.array_equal(values, VALUES)
    for length in range(len(GOOD)):
        assert read_plain_png(GOOD[:length], 1000) is None


def test_a_bomb_is_not_inflated():
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 0, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(50_000_000))) + chunk(b"IEND", b"")
    assert read_plain_png(bomb, 1000) is None
