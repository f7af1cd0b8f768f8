"""Inputs of both encoders, masks and label maps: bit for bit what the slow way gives."""

import io
import sys
from typing import get_args

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from shards.classes import ClassInfo
from shards.errors import CorruptShardError, DecodeError
from shards.glamm import Examples, Settings
from shards.glamm import normal as normal_of_pixels
from shards.glamm.normal import CLIP, SAM, normalise, normalise_plainly
from shards.glamm.pixels import clip_input, open_photo, sam_input
from shards.glamm.settings import Precision
from shards.pixels import encode_mask
from shards.sample import Box, EncodedImage, LabelMap, Region, Rle, Sample, Size

SIZES = [(640, 480), (480, 640), (1024, 683), (500, 375), (336, 336), (40, 900), (337, 333)]
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def picture(width, height, seed=0):
    chance = np.random.default_rng(seed)
    small = chance.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encode(image, kind="JPEG"):
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def photo(image, **told):
    size = Size(image.height, image.width)
    return Sample("any-1", EncodedImage(encode(image), "jpg", size), size, **told)


def slow_clip(pixels, side=336):
    """CLIPImageProcessor said again: resize, cut out the middle, divide by 255, normalise."""
    height, width, _ = pixels.shape
    short, long = sorted((height, width))
    new = int(side * long / short)
    size = (side, new) if width <= height else (new, side)
    scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    top, left = (scaled.shape[0] - side) // 2, (scaled.shape[1] - side) // 2
    middle = scaled[top : top + side, left : left + side]
    values = (middle.astype(np.float64) * (1 / 255)).astype(np.float32)
    return ((values - MEAN) / DEVIATION).transpose(2, 0, 1)


def slow_sam(pixels, side=1024):
    """ResizeLongestSide and the reference's `grounding_enc_processor` said again."""
    height, width, _ = pixels.shape
    scale = side * 1.0 / max(height, width)
    new = (int(width * scale + 0.5), int(height * scale + 0.5))
    scaled = np.asarray(Image.fromarray(pixels).resize(new, Image.Resampling.BILINEAR))
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    values = (scaled.astype(np.float32) - mean) / np.array([58.395, 57.12, 57.375], np.float32)
    padded = np.pad(values, ((0, side - new[1]), (0, side - new[0]), (0, 0)))
    return padded.transpose(2, 0, 1), (new[1], new[0])


def decoded(sample):
    cv2 = pytest.importorskip("cv2")
    stored = np.frombuffer(sample.image.data, np.uint8)
    return cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("size", SIZES)
def test_both_inputs_have_the_references_bits(size):
    sample = photo(picture(*size))
    image, pixels = open_photo(sample), decoded(sample)
    np.testing.assert_array_equal(clip_input(image, 336, sample.original_size), slow_clip(pixels))
    values, resized = sam_input(image, 1024)
    expected, expected_size = slow_sam(pixels)
    assert resized == expected_size
    np.testing.assert_array_equal(values, expected)


def test_a_photo_that_was_scaled_down_is_not_shifted():
    """Its sides have other proportions than upstream's; what shows is 504 wide, not 503."""
    whole = picture(2250, 1500)
    stored = whole.resize((1024, 683), Image.Resampling.BILINEAR)
    scaled = np.asarray(stored.resize((504, 336), Image.Resampling.BICUBIC))[:, 84:420]
    values = clip_input(stored, 336, Size(1500, 2250))
    expected = (scaled.astype(np.float32) / np.float32(255) - MEAN) / DEVIATION
    np.testing.assert_array_equal(values, expected.transpose(2, 0, 1))


def test_dividing_by_255_is_multiplying_in_double_precision():
    every = np.arange(256)
    doubled = (every * (1 / 255)).astype(np.float32)
    np.testing.assert_array_equal(every.astype(np.float32) / np.float32(255), doubled)


def test_without_simplejpeg_the_pixels_are_the_same(monkeypatch):
    sample = photo(picture(300, 200))
    fast = np.asarray(open_photo(sample).convert("RGB"))
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    np.testing.assert_array_equal(np.asarray(open_photo(sample).convert("RGB")), fast)


def test_another_format_is_read_as_well():
    image = picture(50, 40)
    size = Size(40, 50)
    sample = Sample("any-1", EncodedImage(encode(image, "PNG"), "png", size), size)
    np.testing.assert_array_equal(np.asarray(open_photo(sample).convert("RGB")), np.asarray(image))


def test_a_photo_that_is_not_what_it_should_be_is_refused():
    sample = photo(picture(50, 40))
    for data in (sample.image.data[:300], b"", b"no image"):
        with pytest.raises(CorruptShardError, match=r"any-1\.jpg: does not decode"):
            open_photo(Sample("any-1", EncodedImage(data, "jpg", Size(40, 50)), Size(40, 50)))
    other = EncodedImage(sample.image.data, "jpg", Size(41, 50))
    with pytest.raises(CorruptShardError, match=r"any-1\.jpg: is 50x40, its annotations say 50x41"):
        open_photo(Sample("any-1", other, Size(41, 50)))


def masked(**settings):
    image = picture(30, 20)
    masks = np.random.default_rng(1).random((5, 20, 30)) < 0.3
    regions = tuple(
        Region((f"r{n}",), Box(n, 0, 30, 20), encode_mask(mask)) for n, mask in enumerate(masks)
    )
    sample = photo(image, regions=regions, captions=("a",))
    made = Settings(clip_side=8, sam_side=16, **settings)
    return sample, masks, made


def test_masks_are_painted_in_the_order_of_their_names():
    sample, masks, settings = masked(classes=4)
    example = Examples("refcoco", settings).example(sample, 5)
    assert len(example.names) == 4
    assert example.masks is not None
    np.testing.assert_array_equal(example.masks, masks[[int(name[1]) for name in example.names]])
    assert example.labels is not None
    assert example.labels.shape == (20, 30)
    assert example.labels.nbytes == 4800
    assert example.labels.base is not None
    assert set(example.labels.flat) == {255}


def test_the_grounding_input_is_made_where_it_is_wanted():
    sample, _, settings = masked()
    assert Examples("coco_captions", settings).example(sample, 0).sam is None
    always = Examples("coco_captions", masked(grounding="always")[2]).example(sample, 0)
    assert always.masks is not None
    assert always.masks.shape == (0, 20, 30)
    assert always.resized == (11, 16)
    never = Examples("refcoco", masked(grounding="never")[2]).example(sample, 0)
    assert (never.sam, never.masks, never.labels, never.resized) == (None,) * 4


def test_boxes_are_shares_of_the_photo():
    sample, _, settings = masked()
    example = Examples("refcoco_region", settings).example(sample, 0, which=3)
    assert example.boxes is not None
    assert example.boxes.dtype == np.float32
    np.testing.assert_allclose(example.boxes, [[0.1, 0, 1, 1]], rtol=1e-6)


def test_a_mask_that_is_none_is_refused_by_the_samples_name():
    sample = photo(picture(30, 20), regions=(Region(("a",), None, Rle(Size(20, 30), b"1")),))
    with pytest.raises(DecodeError, match=r"any-1\.mp: region 0: "):
        Examples("refcoco").example(sample, 0)


def test_a_label_map_gives_a_mask_for_each_class():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 7, 255], np.uint8), (20, 30))
    png = encode(Image.fromarray(labels), "PNG")
    classes = tuple(ClassInfo(number, f"c{number}") for number in (0, 3, 7))
    made = Examples("ade20k", Settings(clip_side=8, sam_side=16), classes=classes)
    told = LabelMap(png, "ade20k", (0, 3, 7))
    example = made.example(photo(picture(30, 20), labels=told), 0)
    assert example.masks is not None
    for name, mask in zip(example.names, example.masks, strict=True):
        np.testing.assert_array_equal(mask, labels == int(name[1:]))
    np.testing.assert_array_equal(example.labels, labels)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image", "does not decode"),
        (encode(picture(30, 20), "PNG"), "found RGB"),
        (encode(picture(30, 21).convert("L"), "PNG"), "is 30x21"),
    ],
)
def test_a_label_map_that_is_none_is_refused(content, reason):
    made = Examples("ade20k", classes=(ClassInfo(0, "wall"),))
    sample = photo(picture(30, 20), labels=LabelMap(content, "ade20k", (0,)))
    with pytest.raises(DecodeError, match=rf"any-1\.labels\.png: .*{reason}"):
        made.example(sample, 0)


@pytest.mark.parametrize("normal", [CLIP, SAM])
@pytest.mark.parametrize("kind", ["float32", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_compiled_kernel_has_numpys_bits(normal, kind, channels):
    native = pytest.importorskip("shards.glamm._normalise")
    chance = np.random.default_rng(channels)
    for height, width in ((1, 1), (7, 5), (31, 257), (16, 256)):
        pixels = chance.integers(0, 256, (height + 2, width + 3, channels), np.uint8)
        pixels = pixels[1:-1, 2:-1]  # a part of a larger picture, into a part of a larger one
        one, other = (np.full((3, height + 1, width + 2), 9, kind) for _ in range(2))
        native.normalise(pixels, one[:, :height, :width], *normal)
        normalise_plainly(pixels, normal, other[:, :height, :width])
        np.testing.assert_array_equal(one, other)
    every = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], channels, 2)
    one, other = (np.empty((3, 1, 256), kind) for _ in range(2))
    normalise(every, normal, one)
    normalise_plainly(every, normal, other)
    np.testing.assert_array_equal(one, other)


def test_the_compiled_kernel_checks_what_it_is_given():
    native = pytest.importorskip("shards.glamm._normalise")
    pixels = np.zeros((4, 6, 4), np.uint8)
    out = np.zeros((3, 4, 6), np.float32)
    three = (1.0, 1.0, 1.0)
    for bad in (pixels[..., :3], pixels[:, ::2], pixels[0], pixels[..., :1], pixels.astype(int)):
        with pytest.raises(ValueError, match="pixels: expected"):
            native.normalise(bad, out, 1.0, three, three)
    wrong = (out[:2], out[:, :3], out[:, :, :5], out[..., ::2], out.astype(float), out[0])
    for bad in wrong:
        with pytest.raises(ValueError, match="out: expected"):
            native.normalise(pixels, bad, 1.0, three, three)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"read-?only"):
        native.normalise(pixels, out, 1.0, three, three)


def test_without_the_compiled_kernel_the_inputs_are_the_same(monkeypatch):
    sample = photo(picture(90, 70))
    both = [Settings(precision=each, grounding="always") for each in get_args(Precision)]
    told = replace(sample, captions=("a",))
    made = [Examples("coco_captions", settings).example(told, 1) for settings in both]
    monkeypatch.setattr(normal_of_pixels, "BUILT", False)
    for settings, one in zip(both, made, strict=True):
        other = Examples("coco_captions", settings).example(told, 1)
        np.testing.assert_array_equal(one.clip, other.clip)
        np.testing.assert_array_equal(one.sam, other.sam)
    assert [str(one.clip.dtype) for one in made] == ["float32", "float32", "uint16"]


def test_a_header_that_lies_takes_no_memory():
    """The size is compared before anything is decoded."""
    sample = photo(picture(50, 40))
    data = bytearray(sample.image.data)
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = (60000).to_bytes(2, "big") * 2
    lying = EncodedImage(bytes(data), "jpg", Size(40, 50))
    with pytest.raises(CorruptShardError, match=r"any-1\.jpg: is 60000x60000"):
        open_photo(Sample("any-1", lying, Size(40, 50)))
