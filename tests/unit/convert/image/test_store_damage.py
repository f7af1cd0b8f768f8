"""Damaged photos are refused or stored, and hostile ones cost nothing."""

import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import PngImagePlugin

from convert.errors import ImageBudgetError, ImageDecodeError, RecordError
from convert.geometry import fit_longest_side
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy
from convert.image.store import store
from shards.sample import Size
from tests.property.pictures import (
    END,
    POLICY,
    exif,
    jpeg,
    picture,
    save,
    store_with,
    with_segment,
)
from tests.unit.convert.image.test_store import LOSSLESS, OTHERS, SIZE

KINDS = {
    "kept": (jpeg(80, 120), POLICY),
    "with restarts": (jpeg(80, 120, restart_marker_blocks=2), POLICY),
    "progressive": (jpeg(80, 120, progressive=True), POLICY),
    "gray": (jpeg(80, 120, "L"), POLICY),
    "CMYK": (jpeg(80, 120, "CMYK"), POLICY),
    "kept RGB": (jpeg(80, 120, keep_rgb=True, subsampling=0), POLICY),
    "4:1:1": (jpeg(80, 120, sampling="411"), POLICY),
    "reduced": (jpeg(80, 120), ImagePolicy(longest_side=20)),
    "turned": (jpeg(80, 120, exif=exif(6)), POLICY),
    **{
        kind: (data, POLICY)
        for kind, (data, _) in OTHERS.items()
        if kind in {"PNG", "GIF", "BMP", "WEBP", "TIFF"}
    },
}


def convert(data: bytes, policy: ImagePolicy) -> str:
    header = read_photo_header(data, policy)
    size = fit_longest_side(header.upright, policy.longest_side)
    return store(data, header, size, policy, apply_orientation=True)[1]


# A progressive photo without its last scans is whole, if dim. Pillow fills up what is missing in
# the others when an end marker stands behind it; without one it refuses.
STRICT = {"kept", "with restarts", "gray", "4:1:1", "reduced", "turned"}


@pytest.mark.parametrize("name", KINDS)
def test_cut_at_every_percent_it_is_refused(name) -> None:
    data, policy = KINDS[name]
    convert(data, policy)
    for percent in range(100):
        cut = data[: len(data) * percent // 100]
        with pytest.raises(ImageDecodeError):
            convert(cut, policy)
        if len(cut) > 2 and name in STRICT:
            with pytest.raises(ImageDecodeError):
                convert(cut + END, policy)  # an end marker does not make up for what is missing


def damage(data: bytes, seed: int) -> bytes:
    """One to four bytes changed, or a stretch lost, doubled or blanked."""
    rng = np.random.default_rng(seed)
    damaged = bytearray(data)
    start, stop = sorted(rng.integers(0, len(data), 2))
    match rng.integers(0, 8):
        case 0:
            del damaged[start : min(stop, start + 50)]
        case 1:
            damaged[start:start] = data[start : min(stop, start + 50)]
        case 2:
            damaged[start : min(stop, start + 50)] = bytes(min(stop, start + 50) - start)
        case _:
            for _ in range(rng.integers(1, 5)):
                damaged[rng.integers(0, min(len(data), 700))] = rng.integers(0, 256)
                damaged[rng.integers(0, len(data))] ^= 1 << int(rng.integers(0, 8))
    return bytes(damaged)


def survive(data: bytes, policy: ImagePolicy, seeds: range) -> int:
    messages = []
    for seed in seeds:
        try:
            convert(damage(data, seed), ImagePolicy(policy.longest_side, max_pixels=100_000))
        except RecordError as error:
            messages.append(str(error))
        except BaseException as error:
            raise AssertionError(f"seed {seed}") from error
    assert not any(" at 0x" in message for message in messages)  # it would differ from run to run
    return len(messages)


@pytest.mark.parametrize(("data", "policy"), KINDS.values(), ids=KINDS)
def test_damaged_photos_are_refused_or_stored(data, policy) -> None:
    assert 20 < survive(data, policy, range(200)) <= 200


@pytest.mark.slow
@pytest.mark.parametrize(("data", "policy"), KINDS.values(), ids=KINDS)
def test_damaged_photos_at_length(data, policy) -> None:
    survive(data, policy, range(1000, 6000))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png_of(side: int, *chunks: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IEND", b"")


BOMB = zlib.compress(bytes(300_000_000), 9)


@pytest.mark.parametrize(
    ("data", "error"),
    {
        "PNG of 65,535 by 65,535": (_png_of(65535, _chunk(b"IDAT", BOMB)), ImageBudgetError),
        "JPEG of 65,500 by 65,500": (
            jpeg().replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 65500, 65500), 1),
            ImageBudgetError,
        ),
        "text of 300 MB": (_png_of(8, _chunk(b"zTXt", b"k\0\0" + BOMB)), ImageDecodeError),
        "profile of 300 MB": (_png_of(8, _chunk(b"iCCP", b"k\0\0" + BOMB)), ImageDecodeError),
        "text": (b"not an image", ImageDecodeError),
        "a page": (b"<html>404 Not Found</html>" * 99, ImageDecodeError),
        "nothing": (b"", ImageDecodeError),
        "zeros": (bytes(5000), ImageDecodeError),
        "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageDecodeError),
        "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ImageDecodeError),
    }.values(),
)  # fmt: skip
def test_bombs_and_other_files_are_refused_in_little_memory(data, error) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(error):
            convert(data, ImagePolicy())
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_the_budget_counts_pixels() -> None:
    data = jpeg(10, 20)
    assert read_photo_header(data, ImagePolicy(max_pixels=200)).size == Size(10, 20)
    with pytest.raises(ImageBudgetError, match="20x10 pixels, the limit is 199"):
        read_photo_header(data, ImagePolicy(max_pixels=199))


def test_warnings_about_metadata_are_not_shown() -> None:
    data = with_segment(jpeg(progressive=True), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store_with(data)[1] == f"progressive JPEG made baseline{LOSSLESS}"


JUNK = {
    "bytes between segments": b"junk",
    "a start of another photo": b"\xff\xd8",
    "a segment of an unknown kind": b"\xff\xf0\0\4ab",
    "a frame that nobody decodes": b"\xff\xde\0\4ab",
    "EXIF without end": b"\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff",
}


NO_SEGMENTS = (b"junk", b"\xff\xd8")
"""Behind a scan they would belong to it."""


@pytest.mark.parametrize("options", [{}, {"mode": "L"}, {"progressive": True}, {"exif": exif(6)}])
@pytest.mark.parametrize("longest", [1024, 32])
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_damage_outside_of_the_picture_does_not_count(junk, longest, options) -> None:
    plain = jpeg(**options)
    policy = ImagePolicy(longest_side=longest)
    header = read_photo_header(plain, policy)
    size = fit_longest_side(header.upright, longest)
    expected = store(plain, header, size, policy, apply_orientation=True)
    behind = () if junk in NO_SEGMENTS else (len(plain) - 2,)
    for position in (2, *behind):
        data = plain[:position] + junk + plain[position:]
        header = read_photo_header(data, policy)
        assert store(data, header, size, policy, apply_orientation=True) == expected


def test_damage_behind_the_start_of_the_scan_is_found_when_the_photo_is_stored() -> None:
    cut = jpeg()[:-40]
    header = read_photo_header(cut, POLICY)
    assert (header.size, header.jpeg and header.jpeg.damage) == (
        SIZE,
        "JPEG ends inside its picture data",
    )
    with pytest.raises(ImageDecodeError, match="ends inside its picture data"):
        store(cut, header, SIZE, POLICY, apply_orientation=True)


def test_a_segment_without_length_behind_the_picture_decodes() -> None:
    """libjpeg forgives it, so the photo is accepted where its pixels are encoded anew anyway."""
    plain = jpeg()
    data = plain[:-2] + b"\xff\xfe\0\0" + END
    header = read_photo_header(data, POLICY)
    small = Size(24, 32)
    assert store(data, header, small, POLICY, apply_orientation=True) == store(
        plain, read_photo_header(plain, POLICY), small, POLICY, apply_orientation=True
    )
    with pytest.raises(ImageDecodeError, match="inside a marker segment"):
        store(data, header, SIZE, POLICY, apply_orientation=True)


def test_a_png_over_the_budget_is_not_decoded(monkeypatch) -> None:
    data = save(picture(48, 64), "PNG")

    def load(self):
        raise AssertionError(self)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    with pytest.raises(ImageBudgetError):
        read_photo_header(data, ImagePolicy(max_pixels=48 * 64 - 1))
