"""Progressive and gray photos coded as baseline: same pixels by two decoders, damage refused."""

import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convert.errors import ImageDecodeError
from convert.image import transcode
from convert.image.header import read_jpeg_header
from shards.sample import Size
from tests.property.pictures import (
    END,
    START,
    exif,
    flat_jpeg,
    jpeg,
    pixels_of,
    save,
    segments,
    store_with,
    strip,
    to_baseline,
    with_segment,
)

needs_compiled = pytest.mark.skipif(
    not transcode.COMPILED, reason="convert.image._jpeg_transcode not built"
)
SIZES = ((1, 1), (7, 9), (17, 33), (48, 64), (200, 3))
KINDS: dict[str, dict[str, Any]] = {
    "progressive 4:2:0": {"progressive": True, "subsampling": 2},
    "progressive 4:2:2": {"progressive": True, "subsampling": 1},
    "progressive 4:4:4": {"progressive": True, "subsampling": 0},
    "baseline 4:2:0": {"subsampling": 2},
    "baseline 4:4:0": {"sampling": "440"},
    "gray": {"mode": "L"},
    "gray progressive": {"mode": "L", "progressive": True},
    "restart markers": {"progressive": True, "restart_marker_blocks": 3},
    "restart markers in gray": {"mode": "L", "restart_marker_blocks": 1},
    "EXIF and profile": {"progressive": True, "exif": exif(6), "icc_profile": b"p" * 99},
    "EXIF and profile in gray": {"mode": "L", "exif": exif(3), "icc_profile": b"p" * 99},
    "finest": {"progressive": True, "quality": 100},
    "coarse": {"progressive": True, "quality": 25},
}
NOT_LOSSLESS = {
    "CMYK": jpeg(mode="CMYK"),
    "RGB": jpeg(keep_rgb=True, subsampling=0),
    "4:1:1": jpeg(sampling="411"),
    "chroma finer than luma": flat_jpeg([(1, 1), (2, 2), (2, 2)], Size(17, 33)),
    "tables of 16 bits": jpeg(qtables=[[300] * 64, [300] * 64]),
    "tables of 16 bits in gray": jpeg(mode="L", qtables=[[300] * 64]),
}


def decode_twice(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """By Pillow and by simplejpeg: uint8 [height, width, 3] each."""
    pixels = pixels_of(data)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    return pixels, simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, strict=True)


def transcode_exactly(data: bytes) -> bytes:
    """Transcode, and compare everything that must not change."""
    recoded = to_baseline(data)
    assert recoded is not None
    before, after = read_jpeg_header(data), read_jpeg_header(recoded)
    assert (after.size, after.coding, after.precision) == (before.size, "baseline", 8)
    assert (after.colour, after.orientation) == ("YCbCr", 1)
    assert after.sampling == ("4:2:0" if before.colour == "gray" else before.sampling)
    for old, new in zip(decode_twice(data), decode_twice(recoded), strict=True):
        assert np.array_equal(old, new)
    # APP0 alone of all that is not needed; tables of 8 bits; no restart interval.
    assert {marker for marker, _ in segments(recoded)} <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    assert all(content[0] < 16 for marker, content in segments(recoded) if marker == 0xDB)
    assert to_baseline(recoded) == recoded
    return recoded


@needs_compiled
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_stay(kind, size):
    transcode_exactly(jpeg(*size, **KINDS[kind]))


@needs_compiled
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), quality=st.integers(1, 100),
    kind=st.sampled_from(sorted(KINDS)),
)  # fmt: skip
def test_pixels_stay_at_any_size(height, width, quality, kind):
    options = {"quality": quality, **KINDS[kind]}
    if "sampling" in options:
        del options["quality"]
    data = jpeg(height, width, **options)
    if to_baseline(data) is None:  # the lowest qualities need tables of 16 bits
        assert quality < 25
    else:
        transcode_exactly(data)


@needs_compiled
def test_every_gray_level_is_three_equal_ones():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(8, axis=0).repeat(8, axis=1)
    data = save(Image.fromarray(levels), quality=100)
    recoded = transcode_exactly(data)
    for pixels in decode_twice(recoded):
        assert np.array_equal(pixels, np.repeat(levels[..., None], 3, axis=-1))


@needs_compiled
def test_neutral_chroma_costs_two_bits_a_block():
    data = jpeg(256, 256, mode="L", optimize=True)
    recoded = transcode_exactly(data)
    blocks = 2 * (256 // 16) ** 2
    tables = 2 * (5 + 16 + 1) + 3 * 2 + 2 * 2 + 18  # two more DHT, components, scans; JFIF
    assert len(recoded) <= len(data) + 2 * blocks // 8 + tables


@needs_compiled
def test_sampling_is_in_lowest_terms():
    named = {
        ((2, 1), (2, 1), (2, 1)): "4:4:4",
        ((1, 2), (1, 2), (1, 2)): "4:4:4",
        ((2, 2), (2, 1), (2, 1)): "4:4:0",
        ((2, 2), (1, 2), (1, 2)): "4:2:2",
    }
    for factors, sampling in named.items():
        recoded = to_baseline(flat_jpeg(factors, Size(17, 33)))
        assert recoded is not None
        assert read_jpeg_header(recoded).sampling == sampling
        assert np.array_equal(pixels_of(recoded), np.full((17, 33, 3), 128))


@needs_compiled
def test_a_gray_photo_may_claim_any_sampling():
    data = jpeg(17, 33, mode="L")
    for claimed in (0x22, 0x41, 0x13):
        transcode_exactly(data.replace(b"\x01\x01\x11\0", bytes((1, 1, claimed, 0)), 1))


@needs_compiled
@pytest.mark.parametrize("kind", NOT_LOSSLESS)
def test_what_cannot_be_done_losslessly_is_none(kind):
    assert to_baseline(NOT_LOSSLESS[kind]) is None


@needs_compiled
def test_twelve_bits_are_none():
    data = jpeg(subsampling=0)
    frame = data.index(b"\xff\xc0") + 4
    assert to_baseline(data[:frame] + b"\x0c" + data[frame + 1 :]) is None


@needs_compiled
@pytest.mark.parametrize(
    "kind", ["progressive 4:2:0", "gray", "gray progressive", "baseline 4:4:0"]
)
def test_a_photo_cut_anywhere_raises(kind):
    data = jpeg(40, 40, **KINDS[kind])
    for stop in {*range(2, len(data) - 2, 37), len(data) - 3}:
        for end in (b"", END):
            with pytest.raises(ImageDecodeError):
                to_baseline(data[:stop] + end)


@needs_compiled
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_that_lacks_whole_scans_raises(mode):
    data = jpeg(40, 40, mode=mode, progressive=True)
    starts = [i for i in range(len(data)) if data.startswith(b"\xff\xda", i)]
    assert len(starts) > 5
    for start in starts[1:]:
        with pytest.raises(ImageDecodeError):
            to_baseline(data[:start] + END)


@needs_compiled
@pytest.mark.parametrize("kind", ["progressive 4:2:0", "gray"])
def test_a_zeroed_stretch_raises(kind):
    data = jpeg(40, 40, **KINDS[kind])
    scan = data.index(b"\xff\xda") + 20
    with pytest.raises(ImageDecodeError, match="JPEG does not decode"):
        to_baseline(data[:scan] + bytes(64) + data[scan + 64 :])


@needs_compiled
def test_damage_to_metadata_is_no_damage():
    data = jpeg(progressive=True)
    assert to_baseline(with_segment(data, 0xE1, b"Exif\0\0MM nonsense")) == to_baseline(data)
    assert to_baseline(data + b"a tail") == to_baseline(data)


def black(frame: int, components: int, scans: list[bytes]) -> bytes:
    """One black block; a scan is its header, and codes of one bit that say "nothing more"."""

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    tables = [segment(0xC4, bytes((kind, 1, *[0] * 15, 0))) for kind in (0x00, 0x10)]
    shape = struct.pack(">BHHB", 8, 8, 8, components)
    shape += b"".join(bytes((i + 1, 0x11, 0)) for i in range(components))
    coded = [segment(0xDA, b"\x01" + scan) + b"\x3f" for scan in scans]
    quantisation = segment(0xDB, b"\0" + b"\1" * 64)
    return b"".join((START, quantisation, segment(frame, shape), *tables, *coded, END))


@needs_compiled
def test_the_number_of_scans_is_limited():
    first, more = bytes.fromhex("0100 000000"), bytes.fromhex("0100 013f00")
    transcode_exactly(black(0xC2, 1, [first] + [more] * 199))
    with pytest.raises(ImageDecodeError, match="more than 200 scans"):
        to_baseline(black(0xC2, 1, [first] + [more] * 200))


@needs_compiled
def test_a_sequential_photo_has_one_scan_per_component():
    first, second, third = (bytes((i, 0, 0, 63, 0)) for i in (1, 2, 3))
    transcode_exactly(black(0xC0, 3, [first, second, third]))
    transcode_exactly(black(0xC1, 3, [third, first, second]))
    with pytest.raises(ImageDecodeError, match="more scans than components"):
        to_baseline(black(0xC0, 3, [first, second, third, third]))
    with pytest.raises(ImageDecodeError, match="a component has no scan"):
        to_baseline(black(0xC0, 3, [first, second]))


@needs_compiled
def test_the_number_of_pixels_is_limited():
    from convert.image._jpeg_transcode import to_baseline as compiled

    data = jpeg(40, 50)
    assert compiled(data, 2000) == to_baseline(data)
    with pytest.raises(ValueError, match="more pixels"):
        compiled(data, 1999)
    with pytest.raises(OverflowError):
        compiled(data, -1)
    with pytest.raises(TypeError):
        compiled(bytearray(data), 2000)  # type: ignore[arg-type]  # the mistake under test


@needs_compiled
@given(
    kind=st.sampled_from(["progressive 4:2:0", "gray", "restart markers"]),
    changes=st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 255)), min_size=1, max_size=4
    ),
)  # fmt: skip
def test_nonsense_raises_or_gives_a_photo(kind, changes):
    data = bytearray(jpeg(17, 33, **KINDS[kind]))
    for offset, value in changes:
        data[2 + offset % (len(data) - 2)] = value
    try:
        recoded = to_baseline(bytes(data))
    except ImageDecodeError:
        return
    if recoded is not None:
        assert read_jpeg_header(recoded).coding == "baseline"
        pixels_of(recoded)


@needs_compiled
def test_threads_do_not_mix():
    photos = [jpeg(17, 33, progressive=True, quality=q) for q in range(30, 90)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(to_baseline, photos)) == [to_baseline(photo) for photo in photos]


@needs_compiled
def test_real_photos_keep_their_pixels(shared: Path):
    recoded = damaged = 0
    for path in sorted((shared / "real").rglob("*.jpg")):
        data = path.read_bytes()
        if not data.startswith(START) or len(data) > 230_000:
            continue
        try:
            photo = to_baseline(data)
        except ImageDecodeError:
            damaged += 1
            assert path.name in {"hopper_bad_exif.jpg", "truncated_jpeg.jpg"}
            continue
        if photo is None:
            assert path.name == "pil_sample_cmyk.jpg"
            continue
        recoded += 1
        for old, new in zip(decode_twice(strip(data)), decode_twice(photo), strict=True):
            assert np.array_equal(old, new)
    assert (recoded > 30, damaged) == (True, 2)


def test_without_the_compiled_module_nothing_is_lossless(monkeypatch):
    monkeypatch.setattr(transcode, "COMPILED", False)
    assert store_with(jpeg(progressive=True))[1] == "progressive JPEG made baseline"


def test_it_imports_without_the_compiled_module():
    code = (
        "import sys; sys.modules['convert.image._jpeg_transcode'] = None\n"
        "from convert.image.transcode import COMPILED; sys.exit(COMPILED)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
