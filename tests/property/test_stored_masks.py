"""Stored masks equal the slow way: decode, unite, reduce and encode with Pillow and pycocotools."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from convert.errors import MaskDecodeError, SizeMismatchError
from convert.record import Polygons, RunLengths
from convert.sample.masks import nearest, store_masks
from shards.sample import Rle, Size
from tests.property.strategies import coco_decode, coco_encode, masks, sizes


def store_mask(parts, size: Size, stored: Size) -> Rle:
    """Store one mask; stored among others it must be the same."""
    (found,) = store_masks([parts], size, stored)
    assert found is not None
    assert store_masks([(), parts, parts], size, stored) == (None, found, found)
    return found


def reference(union: np.ndarray, stored: Size) -> Rle:
    image = Image.fromarray(union.astype(np.uint8) * 255)
    small = image.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    return coco_encode(np.asarray(small) > 0)


def runs_of(mask: np.ndarray) -> RunLengths:
    """Uncompressed run lengths, one pixel at a time, as COCO's crowd masks have them."""
    lengths, value = [0], False
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return RunLengths(Size(*mask.shape), tuple(lengths))


@st.composite
def parts_and_sizes(draw):
    size = draw(sizes)
    stored = draw(st.one_of(st.just(size), sizes))
    return draw(st.lists(masks(size), min_size=1, max_size=3)), size, stored


@settings(max_examples=200)
@given(parts_and_sizes(), st.data())
def test_union_then_nearest(drawn, data) -> None:
    parts, size, stored = drawn
    raw = tuple(data.draw(st.sampled_from((coco_encode, runs_of)))(part) for part in parts)
    assert store_mask(raw, size, stored) == reference(np.any(parts, axis=0), stored)


@settings(max_examples=150)
@given(st.integers(1, 5000), st.integers(1, 1024))
def test_the_table_is_pillows(old, new) -> None:
    column = Image.fromarray(np.arange(old, dtype=np.int32)[:, None])
    assert np.array_equal(
        np.asarray(column.resize((1, new), Image.Resampling.NEAREST))[:, 0], nearest(old, new)
    )
    assert np.array_equal(nearest(old, old), np.arange(old))
    assert (np.diff(nearest(old, new)) >= 0).all()


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-20, 60)] * 2), min_size=3, max_size=8),
        min_size=1, max_size=3,
    ),
    sizes, sizes,
)  # fmt: skip
def test_polygons(rings, size, stored) -> None:
    flat = [[number for point in ring for number in point] for ring in rings]
    rles = coco_mask.frPyObjects(flat, size.height, size.width)
    union = coco_decode(Rle(size, coco_mask.merge(rles)["counts"]))
    polygons = Polygons(tuple(map(tuple, flat)))
    assert store_mask((polygons,), size, size) == coco_encode(union)
    assert store_mask((polygons,), size, stored) == reference(union, stored)
    disk = np.indices((size.height, size.width)).sum(0) % 3 == 0
    both = store_mask((polygons, coco_encode(disk)), size, stored)
    assert both == reference(union | disk, stored)


@settings(max_examples=60)
@given(masks(), st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=4))
def test_empty_runs_inside_are_merged_away(mask, splits) -> None:
    lengths = list(runs_of(mask).lengths)
    for split, _ in splits:  # 5 -> 2, 0, 3: the same pixels
        at = split % len(lengths)
        lengths[at : at + 1] = [lengths[at] // 2, 0, lengths[at] - lengths[at] // 2]
    size = Size(*mask.shape)
    assert store_mask((RunLengths(size, tuple(lengths)),), size, size) == coco_encode(mask)


@given(masks(), st.data())
def test_any_other_size_is_a_mismatch(mask, data) -> None:
    size = Size(*mask.shape)
    other = data.draw(sizes)
    assume(other != size)
    for part in (coco_encode(mask), runs_of(mask)):
        with pytest.raises(SizeMismatchError, match=f"mask is {size}, the image {other}"):
            store_mask((part,), other, other)


NINE = Size(3, 3)
HUGE = 2**62
HOSTILE = {
    "no rings": Polygons(()),
    "an empty ring": Polygons(((),)),
    "two points": Polygons(((0.0, 0.0, 1.0, 1.0),)),
    "an odd count": Polygons(((0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0),)),
    "not a number": Polygons(((0.0, 0.0, 1.0, 1.0, float("nan"), 2.0),)),
    "infinite": Polygons(((0.0, 0.0, 1.0, 1.0, float("inf"), 2.0),)),
    "minus infinite": Polygons(((0.0, 0.0, 1.0, 1.0, -float("inf"), 2.0),)),
    "1e300": Polygons(((0.0, 0.0, 1.0, 1.0, 1e300, 2.0),)),
    "a good ring and a bad one": Polygons(((0.0, 0.0, 2.0, 0.0, 2.0, 2.0), (1e300,) * 6)),
    "three million numbers": Polygons(((0.0, 1.0) * 1_500_000,)),
    "runs too few": RunLengths(NINE, (8,)),
    "runs too many": RunLengths(NINE, (10,)),
    "no runs": RunLengths(NINE, ()),
    "a negative run": RunLengths(NINE, (10, -1)),
    "a negative run that an overflow hides": RunLengths(NINE, (HUGE, -1, HUGE, HUGE, HUGE, 10)),
    "64 bits overflow": RunLengths(NINE, (HUGE, HUGE, HUGE, HUGE, 9)),
    "65 bits": RunLengths(NINE, (2**64, 9)),
    "counts of nothing": Rle(NINE, b""),
    "counts unterminated": Rle(NINE, b"P"),
    "counts too few": Rle(NINE, b"8"),
    "counts not ASCII": Rle(NINE, b"\xff"),
}


@pytest.mark.parametrize("stored", [NINE, Size(2, 2)], ids=str)
@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
def test_hostile_masks(part, stored) -> None:
    good = coco_encode(np.eye(3, dtype=bool))
    for parts in ((part,), (good, part)):
        with pytest.raises(MaskDecodeError):
            store_mask(parts, NINE, stored)


@settings(max_examples=300)
@given(
    st.one_of(
        st.builds(Rle, st.just(NINE), st.binary(max_size=12)),
        st.builds(RunLengths, st.just(NINE), st.lists(st.integers(), max_size=6).map(tuple)),
        st.builds(RunLengths, st.just(NINE), st.lists(st.integers(-1, 9), max_size=6).map(tuple)),
        st.builds(
            Polygons, st.lists(st.lists(st.floats(), max_size=9).map(tuple), max_size=2).map(tuple)
        ),
    )
)
def test_any_mask_is_stored_or_refused(part) -> None:
    try:
        found = store_mask((part,), NINE, NINE)
    except MaskDecodeError:
        return
    assert found == coco_encode(coco_decode(found))


def test_the_outline_has_a_budget() -> None:
    """Pycocotools walks along every pixel of it, inside the image or not."""
    zigzag = (-9e5, -9e5, 9e5, 9e5) * 100
    for rings in ((zigzag,), (zigzag[:6],) * 100):
        with pytest.raises(MaskDecodeError, match="outline"):
            store_mask((Polygons(rings),), NINE, NINE)
    around = (-9e4, -9e4, 9e4, -9e4, 9e4, 9e4, -9e4, 9e4)
    assert coco_decode(store_mask((Polygons((around,)),), NINE, NINE)).all()


@pytest.mark.slow
def test_ten_thousand_masks() -> None:
    rng = np.random.default_rng(0)
    done = 0
    while done < 10_000:
        height, width, high, wide = (int(n) for n in rng.integers(1, 90, 4))
        coarse = rng.random((20, -(-height // 7), -(-width // 5))) < rng.random()
        photo = np.repeat(np.repeat(coarse, 7, 1), 5, 2)[:, :height, :width]
        photo ^= rng.random(photo.shape) < 0.02
        size, stored = Size(height, width), Size(high, wide)
        found = store_masks([(coco_encode(mask),) for mask in photo], size, stored)
        assert found == tuple(reference(mask, stored) for mask in photo)
        done += len(photo)


def test_real_polygons(shared) -> None:
    file = json.loads((shared / "real" / "coco_instances" / "annotations.json").read_text())
    images = {image["id"]: Size(image["height"], image["width"]) for image in file["images"]}
    done = 0
    for row in file["annotations"]:
        rings, size = row["segmentation"], images[row["image_id"]]
        if not isinstance(rings, list):
            continue
        rles = coco_mask.frPyObjects(rings, size.height, size.width)
        union = coco_decode(Rle(size, coco_mask.merge(rles)["counts"]))
        parts = (Polygons(tuple(map(tuple, rings))),)
        small = Size(size.height * 2 // 3, size.width * 2 // 3)
        assert store_mask(parts, size, small) == reference(union, small)
        done += 1
    assert done > 10
