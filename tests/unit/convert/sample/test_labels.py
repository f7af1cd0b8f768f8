"""Label maps: values looked up, reduced by nearest neighbour; other files refused."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convert.errors import ImageBudgetError, LabelMapError, SizeMismatchError
from convert.image.header import read_label_map_header
from convert.image.policy import ImagePolicy
from convert.record import LabelTable
from convert.sample.labels import store_labels
from shards.sample import LabelMap, Size
from tests.property.pictures import save
from tests.property.strategies import sizes

POLICY = ImagePolicy(max_pixels=100_000)
# Upstream's 0 is ignored, 1 to 150 are the classes 0 to 149, as in ADE20K.
LOOKUP = bytes([255, *range(150), *[255] * 105])
TABLE = LabelTable("ade20k", LOOKUP, bytes([1] * 151 + [0] * 105), ())
SIZE = Size(6, 8)


def png(values: np.ndarray, mode: str = "L", **options: object) -> bytes:
    image = Image.fromarray(values.astype(np.uint8))
    if mode == "P":
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette([200, 100, 50] * 256)  # one colour for all
    return save(image.convert(mode), "PNG", **options)


def store(data: bytes, size: Size, stored: Size) -> LabelMap:
    return store_labels(data, read_label_map_header(data, POLICY), TABLE, size, stored)


def labels_of(labels: LabelMap) -> np.ndarray:
    with Image.open(io.BytesIO(labels.png)) as image:
        assert (image.mode, image.format) == ("L", "PNG")
        return np.asarray(image)


@settings(max_examples=60)
@given(sizes, sizes, st.sampled_from("LP"), st.integers(0, 2**32))
def test_look_up_then_nearest(size, stored, mode, seed) -> None:
    values = np.random.default_rng(seed).integers(0, 151, (size.height, size.width))
    labels = store(png(values, mode), size, stored)
    mapped = Image.fromarray(np.frombuffer(LOOKUP, np.uint8)[values])
    small = mapped.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    assert np.array_equal(labels_of(labels), np.asarray(small))
    assert labels.table == "ade20k"


def test_small_palettes_count_by_index() -> None:
    values = np.indices((6, 8)).sum(0) % 4
    image = Image.frombytes("P", (8, 6), values.astype(np.uint8).tobytes())
    image.putpalette([9, 9, 9] * 4)
    data = save(image, "PNG", bits=2, transparency=bytes(4))
    assert np.array_equal(labels_of(store(data, SIZE, SIZE)), [
        [LOOKUP[value] for value in row] for row in values.tolist()
    ])  # fmt: skip


ZEROS = np.zeros((6, 8), np.uint8)
GOOD = png(ZEROS)
BAD = {
    "RGB": (save(Image.new("RGB", (8, 6)), "PNG"), LabelMapError, "mode RGB"),
    "alpha": (save(Image.new("LA", (8, 6)), "PNG"), LabelMapError, "mode LA"),
    "one bit": (save(Image.new("1", (8, 6)), "PNG"), LabelMapError, "mode 1"),
    "16 bits": (save(Image.fromarray(ZEROS.astype(np.uint16)), "PNG"), LabelMapError, "mode I;16"),
    "JPEG": (save(Image.new("L", (8, 6))), LabelMapError, "no PNG; it begins with"),
    "nothing": (b"", LabelMapError, "no PNG"),
    "only a beginning": (GOOD[:40], LabelMapError, "label map"),
    "turned": (png(ZEROS.T), SizeMismatchError, "label map is 6x8, the photo 8x6"),
    "unknown values": (png(ZEROS + 151), LabelMapError, r"the values \[151\]"),
    "many unknown values": (
        png(np.arange(200, 248).reshape(6, 8)),
        LabelMapError,
        "200, 201, 202, 203, 204]",
    ),
    "too large": (save(Image.new("L", (400, 400)), "PNG"), ImageBudgetError, "400x400"),
}


@pytest.mark.parametrize(("data", "error", "message"), BAD.values(), ids=BAD)
def test_other_files_are_refused(data, error, message) -> None:
    with pytest.raises(error, match=message):
        store(data, SIZE, SIZE)


def test_damage_is_refused_or_makes_a_map() -> None:
    values = np.random.default_rng(0).integers(0, 151, (6, 8))
    data = png(values)
    rng = np.random.default_rng(1)
    messages = []
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(0, len(data))] = rng.integers(0, 256)
        try:
            store(bytes(damaged), SIZE, SIZE)
        except (LabelMapError, SizeMismatchError, ImageBudgetError) as error:
            messages.append(str(error))
    assert len(messages) > 1000
    assert not any(" at 0x" in message for message in messages)  # it would differ from run to run
    whole = store(data, SIZE, SIZE)
    for length in range(len(data)):
        try:
            assert store(data[:length], SIZE, SIZE) == whole
        except LabelMapError:
            continue
        assert length > len(data) - 24  # checksums and the last, empty chunk hold no pixels


def test_a_map_that_gives_its_size_twice_is_refused() -> None:
    """The readers may believe another one each: the map must not be of any but the photo's size."""
    small = png(np.zeros((4, 4)))
    again = png(np.zeros((6, 8)))[8:33]  # another IHDR
    data = small[:33] + again + small[33:]
    assert read_label_map_header(data, POLICY).size == SIZE
    with pytest.raises(LabelMapError, match="does not decode"):
        store(data, SIZE, SIZE)
