"""A record becomes a sample: the pixels it was annotated in, and what was normalised."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.errors import (
    AnnotationError,
    ImageBudgetError,
    ImageDecodeError,
    LabelMapError,
    MaskDecodeError,
    SizeMismatchError,
    SpanError,
)
from convert.image.policy import ImagePolicy
from convert.record import LabelTable, Polygons, RawLabelMap, RawRegion, Record
from convert.sample.transform import clip_box, scale_box, transform
from shards.layout import check_sample
from shards.pixels import decode_mask
from shards.sample import Box, LabelMap, Size, Span, Turn
from tests.property.pictures import exif, jpeg, save
from tests.property.strategies import coco_encode
from tests.unit.convert.sample.test_labels import TABLE, labels_of, png

POLICY = ImagePolicy(longest_side=1024)
PLAIN = Record(("x.jpg",), "x.jpg")
LYING, STANDING, SQUARE = Size(48, 64), Size(64, 48), Size(64, 64)
UNDECIDED = "EXIF turn applied: annotation cannot tell"
UNTURNED = "EXIF turn ignored: annotated unturned"
UPRIGHT = "photo turned upright"
KEPT = "photo kept"

FRAMES = [
    # orientation, size of the file, annotated, original size, notes
    (1, LYING, None, LYING, [KEPT]),
    (1, LYING, LYING, LYING, [KEPT]),
    (3, LYING, None, LYING, [UPRIGHT, UNDECIDED]),
    (3, LYING, LYING, LYING, [UPRIGHT, UNDECIDED]),
    (6, LYING, None, STANDING, [UPRIGHT, UNDECIDED]),
    (6, LYING, STANDING, STANDING, [UPRIGHT]),
    (6, LYING, LYING, LYING, [KEPT, UNTURNED]),
    (8, LYING, STANDING, STANDING, [UPRIGHT]),
    (5, LYING, LYING, LYING, [KEPT, UNTURNED]),
    (7, SQUARE, SQUARE, SQUARE, [UPRIGHT, UNDECIDED]),
    (2, STANDING, STANDING, STANDING, [UPRIGHT, UNDECIDED]),
]


@pytest.mark.parametrize(("orientation", "lies", "annotated", "size", "expected"), FRAMES)
def test_the_annotated_size_tells_the_frame(orientation, lies, annotated, size, expected) -> None:
    photo = jpeg(lies.height, lies.width, exif=exif(orientation))
    sample, notes = transform("a-1", replace(PLAIN, size=annotated), photo, None, POLICY)
    assert list(notes) == expected
    assert (sample.original_size, sample.image.size) == (size, size)
    assert check_sample(sample) is sample


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("annotated", [Size(48, 63), Size(96, 128), Size(1, 1)], ids=str)
def test_any_other_size_is_a_mismatch(orientation, annotated) -> None:
    photo = jpeg(exif=exif(orientation))
    with pytest.raises(SizeMismatchError, match=f"photo is .*annotation is of {annotated}"):
        transform("a-1", replace(PLAIN, size=annotated), photo, None, POLICY)


def test_everything_is_scaled_with_the_photo() -> None:
    mask = np.zeros((50, 200), bool)
    mask[10:20, 100:120] = True
    region = RawRegion(
        phrases=("mug",),
        box=Box(100.0, 10.0, 120.0, 20.0),
        masks=(coco_encode(mask),),
        spans=(Span(0, 2, 5),),
        category="cup",
        ids={"ann_id": 7},
        attributes=("red",),
        parent=0,
    )
    record = Record(
        ("x.jpg",), "x.jpg", Size(50, 200), {"image_id": 1}, ("a mug",), (region,),
        ((Turn("human", "?"),),), RawLabelMap(("x.png",), TABLE), ("noted",),
    )  # fmt: skip
    labels = png(mask.astype(np.uint8))
    sample, notes = transform("a-1", record, jpeg(50, 200), labels, ImagePolicy(longest_side=100))
    assert notes == ("photo scaled down", "noted")
    assert (sample.original_size, sample.image.size) == (Size(50, 200), Size(25, 100))
    (found,) = sample.regions
    assert found.box == Box(50.0, 5.0, 60.0, 10.0)
    assert found.mask is not None
    expected = mask[1::2, 1::2]
    assert np.array_equal(decode_mask(found.mask), expected)
    assert isinstance(sample.labels, LabelMap)
    assert np.array_equal(labels_of(sample.labels) == 0, expected)
    assert (found.phrases, found.spans, found.category) == (("mug",), (Span(0, 2, 5),), "cup")
    assert (found.ids, found.attributes, found.parent) == ({"ann_id": 7}, ("red",), 0)
    assert (sample.key, sample.file, sample.ids) == ("a-1", "x.jpg", {"image_id": 1})
    assert sample.conversations == record.conversations
    assert check_sample(sample) is sample


@pytest.mark.parametrize(
    ("box", "stored", "clipped"),
    [
        (Box(0.0, 0.0, 64.0, 48.0), Box(0.0, 0.0, 64.0, 48.0), False),
        (Box(-5.0, 1.0, 5.0, 50.0), Box(0.0, 1.0, 5.0, 48.0), True),
        (Box(70.0, 1.0, 80.0, 2.0), Box(64.0, 1.0, 64.0, 2.0), True),
        (Box(-1e308, -1e308, 1e308, float("inf")), Box(0.0, 0.0, 64.0, 48.0), True),
        (Box(3.5, 3.5, 3.5, 3.5), Box(3.5, 3.5, 3.5, 3.5), False),
    ],
)
def test_boxes_are_clipped(box, stored, clipped) -> None:
    record = replace(PLAIN, regions=(RawRegion(box=box),))
    sample, notes = transform("a-1", record, jpeg(), None, POLICY)
    assert sample.regions[0].box == stored
    assert notes == (KEPT, *["box clipped to its photo"] * clipped)
    assert check_sample(sample) is sample


sides = st.integers(1, 65_535)
any_size = st.builds(Size, sides, sides)
numbers = st.floats(-1e6, 1e6)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)


@given(boxes, any_size)
def test_clipping(box, size) -> None:
    found = clip_box(box, size)
    assert 0 <= found.x0 <= size.width
    assert 0 <= found.x1 <= size.width
    assert 0 <= found.y0 <= size.height
    assert 0 <= found.y1 <= size.height
    assert clip_box(found, size) == found
    if box.x0 <= box.x1 and box.y0 <= box.y1:
        assert found.x0 <= found.x1
        assert found.y0 <= found.y1
    if found != box:
        assert min(box.x0, box.y0, box.x1, box.y1) < 0 or not (
            max(box.x0, box.x1) <= size.width and max(box.y0, box.y1) <= size.height
        )


@given(boxes, any_size, any_size)
def test_scaling_goes_there_and_back(box, old, new) -> None:
    there = scale_box(box, old, new)
    for corner, axis in (("x0", "width"), ("y0", "height"), ("x1", "width"), ("y1", "height")):
        ratio = getattr(new, axis) / getattr(old, axis)
        assert getattr(there, corner) == pytest.approx(getattr(box, corner) * ratio)
    back = scale_box(there, new, old)
    assert (back.x0, back.y1) == pytest.approx((box.x0, box.y1))


def test_scaled_boxes_stay_inside() -> None:
    for width in range(100, 200, 7):
        record = replace(PLAIN, regions=(RawRegion(box=Box(0.0, 0.0, float(width), 31.0)),))
        sample, _ = transform("a-1", record, jpeg(31, width), None, ImagePolicy(longest_side=97))
        check_sample(sample)


NAN = float("nan")
TABLE_OF_2 = LabelTable("two", bytes(256), bytes([1, 1] + [0] * 254), ())
BAD = {
    "no photo": ({}, b"", None, ImageDecodeError),
    "a cut photo": ({}, jpeg()[:-50], None, ImageDecodeError),
    "too many pixels": ({}, jpeg(300, 400), None, ImageBudgetError),
    "a box of negative width": (
        {"regions": (RawRegion(box=Box(5, 1, 4, 2)),)},
        jpeg(),
        None,
        AnnotationError,
    ),
    "a box of negative height": (
        {"regions": (RawRegion(box=Box(5, 2, 6, 1)),)},
        jpeg(),
        None,
        AnnotationError,
    ),
    "a box that is no number": (
        {"regions": (RawRegion(box=Box(NAN, 1, 4, 2)),)},
        jpeg(),
        None,
        AnnotationError,
    ),
    "a span too long": (
        {"captions": ("ab",), "regions": (RawRegion(spans=(Span(0, 0, 3),)),)},
        jpeg(),
        None,
        SpanError,
    ),
    "an empty span": (
        {"captions": ("ab",), "regions": (RawRegion(spans=(Span(0, 1, 1),)),)},
        jpeg(),
        None,
        SpanError,
    ),
    "a negative span": (
        {"captions": ("ab",), "regions": (RawRegion(spans=(Span(0, -1, 1),)),)},
        jpeg(),
        None,
        SpanError,
    ),
    "no mask": ({"regions": (RawRegion(masks=(Polygons(()),)),)}, jpeg(), None, MaskDecodeError),
    "a mask of another size": (
        {"regions": (RawRegion(masks=(coco_encode(np.eye(4, dtype=bool)),)),)},
        jpeg(),
        None,
        SizeMismatchError,
    ),
    "a label map of another size": (
        {"labels": RawLabelMap((), TABLE_OF_2)},
        jpeg(),
        png(np.zeros((4, 4))),
        SizeMismatchError,
    ),
    "an unknown label": (
        {"labels": RawLabelMap((), TABLE_OF_2)},
        jpeg(),
        png(np.full((48, 64), 2)),
        LabelMapError,
    ),
    "a photo as a label map": (
        {"labels": RawLabelMap((), TABLE_OF_2)},
        jpeg(),
        jpeg(),
        LabelMapError,
    ),
}


@pytest.mark.parametrize(("changes", "photo", "labels", "error"), BAD.values(), ids=BAD)
def test_wrong_data_is_a_kind_of_error(changes, photo, labels, error) -> None:
    with pytest.raises(error):
        transform("a-1", replace(PLAIN, **changes), photo, labels, ImagePolicy(max_pixels=10_000))


def test_the_first_error_on_the_way_is_reported() -> None:
    cut, no_map = jpeg()[:-50], b"no PNG"
    spans = (RawRegion(box=Box(5, 1, 4, 2), spans=(Span(0, 0, 9),)),)
    record = replace(PLAIN, labels=RawLabelMap((), TABLE_OF_2), captions=("ab",), regions=spans)
    for changes, photo, error in (
        ({"size": Size(9, 9)}, cut, SizeMismatchError),
        ({"size": LYING}, cut, ImageDecodeError),
        ({"size": None}, cut, LabelMapError),  # the label map is to say the size
        ({"size": LYING}, jpeg(), SpanError),
        ({"size": LYING, "captions": ("more than 9",)}, jpeg(), AnnotationError),
        ({"size": LYING, "regions": ()}, jpeg(), LabelMapError),
    ):
        with pytest.raises(error):
            transform("a-1", replace(record, **changes), photo, no_map, POLICY)


def test_a_turned_photos_masks_are_in_the_pixels_its_size_names() -> None:
    mask = np.zeros((64, 48), bool)
    mask[3, 5] = True
    regions = (RawRegion(masks=(coco_encode(mask),)),)
    photo = jpeg(48, 64, exif=exif(6))
    sample, _ = transform(
        "a-1", replace(PLAIN, regions=regions, size=STANDING), photo, None, POLICY
    )
    assert sample.regions[0].mask == coco_encode(mask)
    with pytest.raises(SizeMismatchError):
        transform("a-1", replace(PLAIN, regions=regions, size=LYING), photo, None, POLICY)


def test_photos_of_other_formats_turn_as_well() -> None:
    from tests.property.pictures import picture

    photo = save(picture(48, 64), "PNG", exif=exif(6))
    sample, notes = transform("a-1", replace(PLAIN, size=STANDING), photo, None, POLICY)
    assert (sample.image.size, notes) == (STANDING, (UPRIGHT,))


def test_a_colour_profile_is_dropped_and_counted() -> None:
    photo = jpeg(icc_profile=b"p" * 99)
    sample, notes = transform("a-1", PLAIN, photo, None, POLICY)
    assert notes == ("photo kept", "colour profile dropped")
    assert b"ICC" not in sample.image.data
