"""Headers agree with Pillow, and a stripped JPEG has the same pixels."""

import io
import itertools
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, JpegImagePlugin

from convert.errors import ImageDecodeError, LabelMapError, RecordError
from convert.image import header
from convert.image.header import (
    end_of_scan,
    exif_orientation,
    read_headers,
    read_jpeg_header,
    read_photo_header,
)
from convert.image.policy import ImagePolicy
from shards.sample import Size
from tests.property.pictures import (
    END,
    ORIENTATION,
    POLICY,
    START,
    exif,
    flat_jpeg,
    jpeg,
    pixels_of,
    segments,
    store_with,
    strip,
    with_segment,
)

SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
KINDS = {
    **{
        f"{mode} {'progressive ' * progressive}{SAMPLINGS[sampling]} at {quality}": jpeg(
            mode=mode, quality=quality, subsampling=sampling, progressive=bool(progressive)
        )
        for mode, progressive, sampling, quality in itertools.product(
            ("RGB", "L", "CMYK"), (0, 1), SAMPLINGS, (30, 75, 100)
        )
        if mode == "RGB" or quality == 75
    },
    "4:4:0": jpeg(sampling="440"),
    "4:1:1": jpeg(sampling="411"),
    "kept RGB": jpeg(keep_rgb=True, subsampling=0),
    "restart markers": jpeg(restart_marker_blocks=3),
    "optimised": jpeg(optimize=True),
    "comment, profile, resolution": jpeg(comment=b"\xff\xd9", icc_profile=b"p" * 99, dpi=(9, 9)),
    "comment on a progressive one": jpeg(comment=b"me", progressive=True),
    "comment on CMYK": jpeg(mode="CMYK", comment=b"me", icc_profile=b"p" * 99),
    "comment on kept RGB": jpeg(keep_rgb=True, subsampling=0, comment=b"me"),
    "one pixel": jpeg(1, 1),
    "one row": jpeg(1, 77),
    "one column": jpeg(77, 1),
    "odd sides": jpeg(33, 71),
}
PIL_COLOUR = {"gray": "L", "YCbCr": "RGB", "RGB": "RGB", "CMYK": "CMYK", "YCCK": "CMYK"}


def agree_with_pillow(data: bytes) -> None:
    header = read_jpeg_header(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            assert (header.size.width, header.size.height) == image.size
            assert PIL_COLOUR[header.colour] == image.mode
            assert (header.coding == "progressive") == bool(image.info.get("progressive"))
            found = JpegImagePlugin.get_sampling(image)
            turn = image.getexif().get(ORIENTATION, 1)
    if header.colour in {"YCbCr", "RGB"} and found >= 0:
        assert header.sampling == SAMPLINGS[found]
    assert header.orientation == (turn if turn in range(1, 9) else 1)


def decode(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixels_of(data)


def strips_to_the_same_pixels(data: bytes) -> None:
    stripped = strip(data)
    assert np.array_equal(decode(stripped), decode(data))
    assert strip(stripped) == stripped
    assert stripped.endswith(END)
    kinds = [(marker, content[:5]) for marker, content in segments(stripped)]
    for marker, content in kinds:
        assert marker in {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA} or (marker, content) in {
            (0xE0, b"JFIF\0"),
            (0xEE, b"Adobe"),
        }
    header = read_jpeg_header(data)
    assert read_jpeg_header(stripped) == type(header)(
        header.size, header.coding, header.precision, header.colour, header.sampling, 1
    )


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_drawn_photos(data) -> None:
    agree_with_pillow(data)
    strips_to_the_same_pixels(data)


@pytest.mark.parametrize("orientation", range(10))
def test_orientations(orientation) -> None:
    data = jpeg(exif=exif(orientation))
    assert read_jpeg_header(data).orientation == (orientation if 1 <= orientation <= 8 else 1)
    agree_with_pillow(data)
    strips_to_the_same_pixels(data)


def test_real_photos(shared) -> None:
    photos = sorted((shared / "real").rglob("*.jp*g"))
    assert len(photos) > 50
    refused = []
    for path in photos:
        data = path.read_bytes()
        try:
            agree_with_pillow(data)
            strips_to_the_same_pixels(data)
        except RecordError:
            refused.append(path.name)
            if path.name == "cat.jpg":
                continue  # arithmetic coding, which not every libjpeg is built with
            with pytest.raises((OSError, SyntaxError)):
                decode(data)
        except (AssertionError, OSError) as error:
            raise AssertionError(path) from error
    assert len(refused) <= 3
    assert "truncated_jpeg.jpg" in refused


def test_bytes_behind_the_picture_are_dropped() -> None:
    plain = jpeg(comment=b"me", exif=exif(6), icc_profile=b"profile", dpi=(300, 300))
    loaded = plain + b"\xff\xd8trailing" + jpeg()
    assert strip(loaded) == strip(plain)
    for secret in (b"me\xff", b"Exif", b"profile", b"ICC"):
        assert secret in loaded
        assert secret not in strip(loaded)


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE, 0xDF, 0xC8, 0xF0])
def test_foreign_segments_are_dropped(marker) -> None:
    plain = jpeg()
    assert strip(with_segment(plain, marker, b"NotOurs\xff\xd9")) == strip(plain)


def test_a_thumbnail_with_its_own_frame_is_skipped() -> None:
    plain = jpeg(48, 64)
    loaded = with_segment(plain, 0xE1, b"Exif\0\0" + jpeg(7, 9, progressive=True))
    assert read_jpeg_header(loaded) == read_jpeg_header(plain)
    assert strip(loaded) == strip(plain)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    plain = jpeg()
    filled = plain[:2] + b"\xff" * 5 + plain[2:]
    assert read_jpeg_header(filled) == read_jpeg_header(plain)
    assert strip(filled) == strip(plain)


FRAME = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, 48, 64, 3)


@pytest.mark.parametrize(
    "data",
    {
        "nothing": b"",
        "only a beginning": START,
        "beginning and end": START + END,
        "another photo's middle": jpeg()[200:],
        "lossless": jpeg().replace(FRAME[:2], b"\xff\xc3", 1),
        "arithmetic": jpeg().replace(FRAME[:2], b"\xff\xc9", 1),
        "no rows": jpeg().replace(FRAME, struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, 0, 64, 3)),
        "no columns": jpeg().replace(FRAME, struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, 48, 0, 3)),
        "no components": jpeg().replace(FRAME, FRAME[:-1] + b"\0"),
        "two components": jpeg().replace(FRAME, FRAME[:-1] + b"\2"),
        "200 components": jpeg().replace(FRAME, FRAME[:-1] + b"\xc8"),
        "a segment without content": START + b"\xff\xe0\0\0" + jpeg()[2:],
        "a segment behind the end": START + b"\xff\xe0\xff\xff" + jpeg()[2:],
        "a frame of four bytes": START
        + b"\xff\xc0\0\4ab"
        + jpeg()[2:].replace(b"\xff\xc0", b"\xff\xe5", 1),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_no_photo(data) -> None:
    with pytest.raises(ImageDecodeError):
        read_jpeg_header(data[1])


def test_cut_anywhere_before_its_end_it_is_no_photo() -> None:
    data = jpeg()
    for length in range(len(data)):
        with pytest.raises(ImageDecodeError):
            strip(data[:length])


FACTORS = [
    factors
    for factors in itertools.product(((1, 1), (2, 1), (1, 2), (2, 2), (4, 1)), repeat=3)
    if sum(across * down for across, down in factors) <= 10
]
EVEN: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
    ((1, 2), (1, 1), (1, 1)): "4:4:0",
}


def test_chroma_of_any_sampling() -> None:
    assert len(FACTORS) > 80
    for factors in FACTORS:
        data = flat_jpeg(factors, Size(40, 56))
        image, done = store_with(data)
        sampling = read_jpeg_header(image.data).sampling
        if factors in EVEN:
            assert (done, sampling) == ("kept", EVEN[factors])
        elif done.endswith("without loss"):
            assert sampling in EVEN.values(), factors
        else:
            assert (done, sampling) == ("odd chroma sampling made even", "4:2:0"), factors
        assert (pixels_of(image.data) == 128).all(), factors


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_a_stored_photo_is_what_the_format_promises(data) -> None:
    image, done = store_with(data, ImagePolicy(subsampling="4:4:4"))
    header = read_jpeg_header(image.data)
    assert (header.coding, header.precision, header.colour) == ("baseline", 8, "YCbCr")
    assert header.size == image.size == read_jpeg_header(data).size
    assert {marker for marker, _ in segments(image.data)} <= {0xE0, 0xC0, 0xC4, 0xDB, 0xDD, 0xDA}
    if done == "kept":
        assert np.array_equal(decode(image.data), decode(data))


def _tiff(order: str, *rows: tuple[int, int, int, int], offset: int = 8) -> bytes:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    body = b"".join(struct.pack(order + "HHIHH", *row, 0) for row in rows)
    return mark + struct.pack(order + "IH", offset, len(rows)) + body


@pytest.mark.parametrize(
    ("block", "orientation"),
    [
        (_tiff("<", (0x0112, 3, 1, 6)), 6),
        (_tiff(">", (0x010F, 2, 4, 0), (0x0112, 3, 1, 8)), 8),
        (_tiff(">", (0x0112, 3, 1, 9)), 1),
        (_tiff(">", (0x0112, 3, 1, 0)), 1),
        (_tiff(">", (0x010F, 2, 4, 0)), 1),
        (_tiff("<"), 1),
        (_tiff("<", (0x0112, 3, 1, 6))[:-3], 1),
        (_tiff("<", (0x0112, 3, 1, 6), offset=2**32 - 1), 1),
        (b"", 1),
        (b"II", 1),
        (b"XX*\0", 1),
    ],
)
def test_exif_blocks(block, orientation) -> None:
    assert exif_orientation(block) == orientation


JFIF, ADOBE_RGB, ADOBE_YCC = (
    b"JFIF\0\1\1\0\0\1\0\1\0\0",
    b"Adobe\0d" + bytes(5),
    b"Adobe\0d\0\0\0\0\1",
)


@pytest.mark.parametrize("ids", [b"\1\2\3", b"RGB", b"\0\1\2", b"abc"])
@pytest.mark.parametrize("jfif", [True, False])
@pytest.mark.parametrize("adobe", [b"", ADOBE_RGB, ADOBE_YCC])
def test_three_components_are_the_colours_libjpeg_takes_them_for(ids, jfif, adobe) -> None:
    plain = jpeg(subsampling=0)
    data = plain[:2]
    for marker, content in ((0xE0, JFIF * jfif), (0xEE, adobe)):
        if content:
            data += struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    for marker, content in segments(plain):
        body = bytearray(content)
        if marker == 0xC0:
            body[6::3] = ids
        if marker == 0xDA:
            body[1:7:2] = ids
        if marker != 0xE0:
            data += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    data += plain[plain.index(b"\xff\xda") + 14 :]
    colour = read_jpeg_header(data).colour
    assert colour == ("YCbCr" if np.array_equal(decode(data), decode(plain)) else "RGB")
    assert np.array_equal(decode(strip(data)), decode(data))


def test_pillow_turns_as_the_tag_says() -> None:
    with Image.open(io.BytesIO(jpeg(48, 64, exif=exif(6)))) as image:
        assert ImageOps.exif_transpose(image).size == (48, 64)


BYTES = st.sampled_from((0x00, 0x12, 0xCF, 0xD0, 0xD7, 0xD8, 0xD9, 0xFE, 0xFF))


@given(st.lists(BYTES, max_size=40).map(bytes), st.integers(0, 40))
def test_the_compiled_search_finds_what_numpy_finds(data, start) -> None:
    module = pytest.importorskip("convert.image._jpeg_scan", reason="not built")
    if start > len(data):
        with pytest.raises(IndexError, match="outside"):
            module.end_of_scan(data, start)
        return
    expected = end_of_scan(data, start) if start < len(data) else -1
    assert module.end_of_scan(data, start) == expected


def test_the_compiled_search_takes_bytes_alone() -> None:
    module = pytest.importorskip("convert.image._jpeg_scan", reason="not built")
    with pytest.raises(IndexError, match="outside"):
        module.end_of_scan(b"", -1)
    with pytest.raises(TypeError):
        module.end_of_scan("text", 0)


@pytest.mark.parametrize("data", [*KINDS.values(), jpeg()[:-9]], ids=[*KINDS, "cut"])
def test_without_the_compiled_search_the_header_is_the_same(data, monkeypatch) -> None:
    expected = read_jpeg_header(data)
    monkeypatch.setattr(header, "COMPILED", False)
    plain = read_jpeg_header(data)
    assert (plain, plain.picture) == (expected, expected.picture)


def test_it_imports_without_the_compiled_search() -> None:
    code = (
        "import sys; sys.modules['convert.image._jpeg_scan'] = None\n"
        "from convert.image.header import COMPILED; sys.exit(COMPILED)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_photo_without_metadata_is_not_copied() -> None:
    plain = strip(jpeg())
    assert list(read_jpeg_header(plain).picture) == [0, len(plain)]


def test_an_error_in_a_label_map_is_returned_with_the_photos_header() -> None:
    photo = jpeg()
    found, error = read_headers(photo, b"no PNG", POLICY)
    assert found == read_photo_header(photo, POLICY)
    assert isinstance(error, LabelMapError)
    with pytest.raises(ImageDecodeError):
        read_headers(b"no photo", b"no PNG", POLICY)
