"""A photo is kept, turned upright, scaled down or encoded anew, with the pixels Pillow gives."""

import io
import warnings
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from convert.errors import ImageDecodeError
from convert.geometry import fit_longest_side
from convert.image import transcode
from convert.image.header import JpegHeader, PhotoHeader, read_jpeg_header, read_photo_header
from convert.image.policy import Fidelity, ImagePolicy
from convert.image.store import choose_shrink, decode_rgb, store, why_not_keep
from shards.sample import Size
from tests.property.pictures import (
    POLICY,
    exif,
    jpeg,
    paint,
    picture,
    pixels_of,
    save,
    segments,
    store_with,
    stored,
)

SIZE = Size(48, 64)
LOSSLESS = " without loss" if transcode.COMPILED else ""


def _header(orientation: int = 1, kind: str = "JPEG", **fields: object) -> PhotoHeader:
    upright = SIZE if orientation < 5 else Size(SIZE.width, SIZE.height)
    plain: dict[str, object] = {
        "size": SIZE, "coding": "baseline", "precision": 8, "colour": "YCbCr",
        "sampling": "4:2:0", "orientation": orientation,
    }  # fmt: skip
    jpeg_header = JpegHeader(**{**plain, **fields}) if kind == "JPEG" else None  # type: ignore[arg-type]
    return PhotoHeader(kind, SIZE, upright, orientation, jpeg_header)


SAME, SMALL, TURNED = SIZE, Size(24, 32), Size(64, 48)
DECISIONS = [
    (_header(), SAME, True, None),
    (_header(), SAME, False, None),
    *((_header(sampling=s), SAME, True, None) for s in ("4:4:4", "4:2:2", "4:2:0", "4:4:0")),
    *((_header(sampling=s), SAME, True, "odd chroma sampling made even") for s in ("4:1:1", "")),
    (_header(), SMALL, True, "scaled down"),
    (_header(), SMALL, False, "scaled down"),
    (_header(), TURNED, True, "scaled down"),
    *((_header(turn), SAME, True, "turned upright") for turn in (2, 3, 4)),
    *((_header(turn), TURNED, True, "turned upright") for turn in (5, 6, 7, 8)),
    *((_header(turn), SAME, False, None) for turn in range(1, 9)),
    *((_header(turn), SAME, True, "scaled down") for turn in (5, 6, 7, 8)),
    *((_header(turn), TURNED, False, "scaled down") for turn in (5, 6, 7, 8)),
    *(
        (_header(colour=c), SAME, True, f"{c} JPEG made YCbCr")
        for c in ("gray", "RGB", "CMYK", "YCCK")
    ),
    *(
        (_header(coding=c), SAME, True, f"{c} JPEG made baseline")
        for c in ("extended", "progressive")
    ),
    (_header(precision=12), SAME, True, "baseline JPEG made baseline"),
    (_header(colour="CMYK", coding="progressive", sampling=""), SAME, True, "CMYK JPEG made YCbCr"),
    *(
        (_header(kind=kind), SAME, True, f"{kind} made JPEG")
        for kind in ("PNG", "WEBP", "BMP", "GIF", "TIFF")
    ),
    (_header(kind="PNG"), SMALL, True, "scaled down"),
    (_header(6, kind="PNG"), TURNED, True, "turned upright"),
]


@pytest.mark.parametrize(("header", "size", "turn", "reason"), DECISIONS)
def test_why_not_keep(header, size, turn, reason) -> None:
    assert why_not_keep(header, size, apply_orientation=turn) == reason


def encode(image: Image.Image, policy: ImagePolicy = POLICY) -> bytes:
    plain = Image.fromarray(np.asarray(image.convert("RGB")))  # without a comment or a profile
    return save(plain, quality=policy.quality, subsampling=policy.subsampling)


@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_eight_orientations(kind, orientation, turn) -> None:
    lossless: dict[str, dict[str, Any]] = {
        "JPEG": {"subsampling": 0},
        "WEBP": {"lossless": True},
    }
    options = lossless.get(kind, {})
    data = save(picture(48, 64), kind, exif=exif(orientation), **options)
    header = read_photo_header(data, POLICY)
    image, done = store_with(data, apply_orientation=turn)
    with Image.open(io.BytesIO(data)) as original:
        # Pillow has turned a TIFF by the time it is loaded, wanted or not.
        upright = ImageOps.exif_transpose(original) if turn else original
        assert (header.upright if turn else header.size) == Size(upright.height, upright.width)
        assert image.size == Size(upright.height, upright.width)
        if done == "kept":
            assert (kind, turn and orientation != 1) == ("JPEG", False)
            assert np.array_equal(pixels_of(image.data), np.asarray(upright))
        else:
            assert image.data == encode(upright)
    assert read_photo_header(image.data, POLICY).orientation == 1


@pytest.mark.parametrize(("sides", "orientation"), [((90, 200), 1), ((201, 33), 6), ((65, 64), 8)])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}, {"sampling": "411"}]
)
def test_a_large_photo_is_reduced_as_pillow_reduces(sides, orientation, options) -> None:
    turned: dict[str, Any] = {} if "sampling" in options else {"exif": exif(orientation)}
    data = jpeg(sides[0], sides[1], **options, **turned)
    policy = ImagePolicy(longest_side=64, quality=77, subsampling="4:2:2")
    header = read_photo_header(data, policy)
    size = fit_longest_side(header.upright, policy.longest_side)
    image, done = store(data, header, size, policy, apply_orientation=True)
    assert done == "scaled down"
    with Image.open(io.BytesIO(data)) as original:
        upright = ImageOps.exif_transpose(original).convert("RGB")
        reduced = upright.resize((size.width, size.height), Image.Resampling.BILINEAR)
    assert image.data == encode(reduced, policy)
    assert max(image.size.height, image.size.width) == 64


@pytest.mark.parametrize(
    ("longest", "sizes"),
    # What the decoder leaves to the resize: exact everything, fast at least 4.5, draft anything.
    {32: ((400, 300), (200, 150), (50, 38)), 100: ((400, 300), (400, 300), (100, 75))}.items(),
)
def test_fidelity_says_how_far_the_decoder_may_shrink(longest, sizes) -> None:
    data = jpeg(300, 400)
    header = read_photo_header(data, POLICY)
    found = []
    for fidelity in get_args(Fidelity):
        policy = ImagePolicy(longest_side=longest, fidelity=fidelity)
        size = fit_longest_side(header.size, longest)
        found.append(decode_rgb(data, header, choose_shrink(header.size, size, fidelity)).size)
        image, _ = store(data, header, size, policy, apply_orientation=True)
        assert image.size == size
        assert pixels_of(image.data).shape[:2] == (size.height, size.width)
    assert tuple(found) == sizes


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_only_jpegs_shrink_while_they_are_decoded(kind) -> None:
    data = save(picture(300, 400), kind)
    header = read_photo_header(data, POLICY)
    assert decode_rgb(data, header, 4).size == (400, 300)


def _png(image: Image.Image, **options: object) -> bytes:
    return save(image, "PNG", **options)


def _wide() -> np.ndarray:
    return (paint(48, 64, 1)[..., 0].astype(np.uint16) << 8) + 200


RGBA = Image.fromarray(np.dstack([paint(48, 64), paint(48, 64, 1, seed=1)]))
PALETTE = picture(48, 64).quantize(64)
CMYK = Image.frombytes("CMYK", (64, 48), paint(48, 64, 4).tobytes())
GIF = save(PALETTE, "GIF", transparency=3, comment=b"me")
COMMENT = PngImagePlugin.PngInfo()
COMMENT.add_text("comment", "me")
OTHERS = {
    "PNG": (_png(picture(48, 64)), paint(48, 64)),
    "gray": (_png(picture(48, 64, "L")), np.dstack([paint(48, 64, 1)] * 3)),
    "16 bits": (_png(Image.fromarray(_wide())), np.dstack([_wide() >> 8] * 3)),
    "16 bits, TIFF": (save(Image.fromarray(_wide()), "TIFF"), np.dstack([_wide() >> 8] * 3)),
    "alpha": (_png(RGBA), np.asarray(RGBA)[..., :3]),
    "gray with alpha": (
        _png(picture(48, 64, "L").convert("LA")),
        np.dstack([paint(48, 64, 1)] * 3),
    ),
    "palette": (_png(PALETTE), np.asarray(PALETTE.convert("RGB"))),
    "palette with one transparent": (
        _png(PALETTE, transparency=3),
        np.asarray(PALETTE.convert("RGB")),
    ),
    "palette with alphas": (
        _png(PALETTE, transparency=bytes(range(64))),
        np.asarray(PALETTE.convert("RGB")),
    ),
    "one bit": (
        _png(picture(48, 64, "L").convert("1")),
        np.asarray(picture(48, 64, "L").convert("1").convert("RGB")),
    ),
    "RGB with one transparent": (_png(picture(48, 64), transparency=(1, 2, 3)), paint(48, 64)),
    "text named comment": (_png(picture(48, 64), pnginfo=COMMENT), paint(48, 64)),
    "GIF": (GIF, np.asarray(PALETTE.convert("RGB"))),
    "BMP": (save(picture(48, 64), "BMP"), paint(48, 64)),
    "WEBP": (save(picture(48, 64), "WEBP", lossless=True), paint(48, 64)),
    "TIFF": (save(picture(48, 64), "TIFF", compression="tiff_lzw"), paint(48, 64)),
    "CMYK TIFF": (save(CMYK, "TIFF"), np.asarray(CMYK.convert("RGB"))),
}


@pytest.mark.parametrize(("data", "pixels"), OTHERS.values(), ids=OTHERS)
def test_every_format_becomes_a_plain_jpeg(data, pixels) -> None:
    header = read_photo_header(data, POLICY)
    assert header.size == SIZE
    assert np.array_equal(np.asarray(decode_rgb(data, header)), pixels)
    image = stored(data)
    assert {marker for marker, _ in segments(image.data)} == {0xE0, 0xC0, 0xC4, 0xDB, 0xDA}
    found = read_jpeg_header(image.data)
    assert (found.coding, found.colour, found.sampling) == ("baseline", "YCbCr", "4:2:0")


def test_bytes_behind_the_end_are_dropped() -> None:
    data = jpeg()
    for length in (0, 1, 600):
        image, done = store_with(data + bytes(length))
        assert done == "kept"
        assert image == stored(data)


def test_real_photos(shared) -> None:
    policy = ImagePolicy(longest_side=512)
    results = {}
    for path in sorted((shared / "real").rglob("*.jp*g")):
        data = path.read_bytes()
        if len(data) > 1_000_000:
            continue
        try:
            header = read_photo_header(data, policy)
            size = fit_longest_side(header.upright, policy.longest_side)
            image, done = store(data, header, size, policy, apply_orientation=True)
        except ImageDecodeError as error:
            results[path.name] = type(error).__name__
            continue
        results[path.name] = done
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("JPEG",)) as original:
                upright = ImageOps.exif_transpose(original) if header.orientation != 1 else original
                if done == "kept" or done.endswith("without loss"):
                    same = np.array_equal(pixels_of(image.data), np.asarray(upright.convert("RGB")))
                elif done == "scaled down":
                    reduced = upright.convert("RGB").resize(
                        (size.width, size.height), Image.Resampling.BILINEAR
                    )
                    same = image.data == encode(reduced, policy)
                else:
                    same = image.data == encode(upright, policy)
        assert same, (path, done)
    assert results["truncated_jpeg.jpg"] == "ImageDecodeError"
    assert results["hopper_gray.jpg"] == f"gray JPEG made YCbCr{LOSSLESS}"
    assert results["pil_sample_cmyk.jpg"] == "YCCK JPEG made YCbCr"
    assert results["hopper_orientation_6.jpg"] == "turned upright"
    assert "kept" in results.values()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_other_formats_are_opened_once(kind, monkeypatch) -> None:
    data = save(picture(48, 64), kind)
    opened = []
    really_open = Image.open

    def count(*args: Any, **options: Any) -> Image.Image:
        opened.append(really_open(*args, **options))
        return opened[-1]

    monkeypatch.setattr(Image, "open", count)
    assert store_with(data)[1] == f"{kind} made JPEG"
    assert len(opened) == 1
