"""Encoder inputs, masks and label maps equal those of a plain implementation, bit for bit."""

import io
import sys
from typing import get_args

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from shards.classes import ClassInfo
from shards.errors import CorruptShardError, DecodeError
from shards.glamm import Examples, Settings, normalisation
from shards.glamm.pixels import clip_input, open_photo, sam_input
from shards.glamm.settings import Precision
from shards.pixels import encode_mask
from shards.sample import Box, EncodedImage, LabelMap, Region, Rle, Sample, Size

SIZES = [(640, 480), (480, 640), (1024, 683), (500, 375), (336, 336), (40, 900), (337, 333)]
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def make_photo(width, height, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encode(image, format_="JPEG"):
    out = io.BytesIO()
    image.save(out, format_)
    return out.getvalue()


def make_sample(image, **annotations):
    size = Size(image.height, image.width)
    return Sample("any-1", EncodedImage(encode(image), "jpg", size), size, **annotations)


def slow_clip(pixels, side=336):
    """CLIPImageProcessor restated: resize, crop the centre, divide by 255, normalise."""
    height, width, _ = pixels.shape
    short, long = sorted((height, width))
    new = int(side * long / short)
    size = (side, new) if width <= height else (new, side)
    scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    top, left = (scaled.shape[0] - side) // 2, (scaled.shape[1] - side) // 2
    middle = scaled[top : top + side, left : left + side]
    values = (middle.astype(np.float64) * (1 / 255)).astype(np.float32)
    return ((values - MEAN) / STD).transpose(2, 0, 1)


def slow_sam(pixels, side=1024):
    """ResizeLongestSide and the reference's `grounding_enc_processor` restated."""
    height, width, _ = pixels.shape
    scale = side * 1.0 / max(height, width)
    new = (int(width * scale + 0.5), int(height * scale + 0.5))
    scaled = np.asarray(Image.fromarray(pixels).resize(new, Image.Resampling.BILINEAR))
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    values = (scaled.astype(np.float32) - mean) / np.array([58.395, 57.12, 57.375], np.float32)
    padded = np.pad(values, ((0, side - new[1]), (0, side - new[0]), (0, 0)))
    return padded.transpose(2, 0, 1), (new[1], new[0])


def decode_cv2(sample):
    cv2 = pytest.importorskip("cv2")
    stored = np.frombuffer(sample.image.data, np.uint8)
    return cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("size", SIZES)
def test_both_inputs_equal_the_references_bit_for_bit(size):
    sample = make_sample(make_photo(*size))
    image, pixels = open_photo(sample), decode_cv2(sample)
    np.testing.assert_array_equal(clip_input(image, 336, sample.original_size), slow_clip(pixels))
    values, resized = sam_input(image, 1024)
    expected, expected_size = slow_sam(pixels)
    assert resized == expected_size
    np.testing.assert_array_equal(values, expected)


def test_a_photo_that_was_scaled_down_is_not_shifted():
    """Its aspect ratio differs a little from upstream's; it is scaled to 504 wide, not 503."""
    whole = make_photo(2250, 1500)
    stored = whole.resize((1024, 683), Image.Resampling.BILINEAR)
    scaled = np.asarray(stored.resize((504, 336), Image.Resampling.BICUBIC))[:, 84:420]
    values = clip_input(stored, 336, Size(1500, 2250))
    expected = (scaled.astype(np.float32) / np.float32(255) - MEAN) / STD
    np.testing.assert_array_equal(values, expected.transpose(2, 0, 1))


def test_dividing_by_255_equals_multiplying_in_double_precision():
    every = np.arange(256)
    doubled = (every * (1 / 255)).astype(np.float32)
    np.testing.assert_array_equal(every.astype(np.float32) / np.float32(255), doubled)


def test_without_simplejpeg_the_pixels_are_the_same(monkeypatch):
    sample = make_sample(make_photo(300, 200))
    fast = np.asarray(open_photo(sample).convert("RGB"))
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    np.testing.assert_array_equal(np.asarray(open_photo(sample).convert("RGB")), fast)


def test_a_png_photo_is_read_as_well():
    image = make_photo(50, 40)
    size = Size(40, 50)
    sample = Sample("any-1", EncodedImage(encode(image, "PNG"), "png", size), size)
    np.testing.assert_array_equal(np.asarray(open_photo(sample).convert("RGB")), np.asarray(image))


def test_a_damaged_photo_is_refused():
    sample = make_sample(make_photo(50, 40))
    for data in (sample.image.data[:300], b"", b"no image"):
        with pytest.raises(CorruptShardError, match=r"any-1\.jpg: does not decode"):
            open_photo(Sample("any-1", EncodedImage(data, "jpg", Size(40, 50)), Size(40, 50)))
    other = EncodedImage(sample.image.data, "jpg", Size(41, 50))
    with pytest.raises(CorruptShardError, match=r"any-1\.jpg: is 50x40, its annotations say 50x41"):
        open_photo(Sample("any-1", other, Size(41, 50)))


def masked_sample(**settings):
    image = make_photo(30, 20)
    masks = np.random.default_rng(1).random((5, 20, 30)) < 0.3
    regions = tuple(
        Region((f"r{n}",), Box(n, 0, 30, 20), encode_mask(mask)) for n, mask in enumerate(masks)
    )
    sample = make_sample(image, regions=regions, captions=("a",))
    return sample, masks, Settings(clip_side=8, sam_side=16, **settings)


def test_masks_are_painted_in_the_order_of_their_names():
    sample, masks, settings = masked_sample(max_classes=4)
    example = Examples("refcoco", settings).example(sample, 5)
    assert len(example.names) == 4
    assert example.masks is not None
    np.testing.assert_array_equal(example.masks, masks[[int(name[1]) for name in example.names]])
    assert example.labels is not None
    assert example.labels.shape == (20, 30)
    assert example.labels.nbytes == 4800
    assert example.labels.base is not None
    assert set(example.labels.flat) == {255}


def test_the_grounding_input_depends_on_the_setting():
    sample, _, settings = masked_sample()
    assert Examples("coco_captions", settings).example(sample, 0).sam is None
    always = Examples("coco_captions", masked_sample(grounding="always")[2]).example(sample, 0)
    assert always.masks is not None
    assert always.masks.shape == (0, 20, 30)
    assert always.resized == (11, 16)
    never = Examples("refcoco", masked_sample(grounding="never")[2]).example(sample, 0)
    assert (never.sam, never.masks, never.labels, never.resized) == (None,) * 4


def test_boxes_are_fractions_of_the_photo():
    sample, _, settings = masked_sample()
    example = Examples("refcoco_region", settings).example(sample, 0, item_index=3)
    assert example.boxes is not None
    assert example.boxes.dtype == np.float32
    np.testing.assert_allclose(example.boxes, [[0.1, 0, 1, 1]], rtol=1e-6)


def test_a_damaged_mask_is_refused_by_the_samples_name():
    sample = make_sample(
        make_photo(30, 20), regions=(Region(("a",), None, Rle(Size(20, 30), b"1")),)
    )
    with pytest.raises(DecodeError, match=r"any-1\.mp: region 0: "):
        Examples("refcoco").example(sample, 0)


def test_a_label_map_gives_a_mask_for_each_class():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 7, 255], np.uint8), (20, 30))
    png = encode(Image.fromarray(labels), "PNG")
    classes = tuple(ClassInfo(number, f"c{number}") for number in (0, 3, 7))
    examples = Examples("ade20k", Settings(clip_side=8, sam_side=16), classes=classes)
    label_map = LabelMap(png, "ade20k", (0, 3, 7))
    example = examples.example(make_sample(make_photo(30, 20), labels=label_map), 0)
    assert example.masks is not None
    for name, mask in zip(example.names, example.masks, strict=True):
        np.testing.assert_array_equal(mask, labels == int(name[1:]))
    np.testing.assert_array_equal(example.labels, labels)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image", "does not decode"),
        (encode(make_photo(30, 20), "PNG"), "found RGB"),
        (encode(make_photo(30, 21).convert("L"), "PNG"), "is 30x21"),
    ],
)
def test_a_damaged_label_map_is_refused(content, reason):
    examples = Examples("ade20k", classes=(ClassInfo(0, "wall"),))
    sample = make_sample(make_photo(30, 20), labels=LabelMap(content, "ade20k", (0,)))
    with pytest.raises(DecodeError, match=rf"any-1\.labels\.png: .*{reason}"):
        examples.example(sample, 0)


def test_without_the_compiled_kernel_the_inputs_are_the_same(monkeypatch):
    sample = make_sample(make_photo(90, 70))
    every = [Settings(precision=each, grounding="always") for each in get_args(Precision)]
    sample = replace(sample, captions=("a",))
    compiled = [Examples("coco_captions", settings).example(sample, 1) for settings in every]
    monkeypatch.setattr(normalisation, "COMPILED", False)
    for settings, one in zip(every, compiled, strict=True):
        other = Examples("coco_captions", settings).example(sample, 1)
        np.testing.assert_array_equal(one.clip, other.clip)
        np.testing.assert_array_equal(one.sam, other.sam)
    assert [str(one.clip.dtype) for one in compiled] == ["float32", "float32", "uint16"]


def test_a_header_with_a_huge_size_allocates_no_memory():
    """The size is checked before anything is decoded."""
    sample = make_sample(make_photo(50, 40))
    data = bytearray(sample.image.data)
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = (60000).to_bytes(2, "big") * 2
    image = EncodedImage(bytes(data), "jpg", Size(40, 50))
    with pytest.raises(CorruptShardError, match=r"any-1\.jpg: is 60000x60000"):
        open_photo(Sample("any-1", image, Size(40, 50)))
