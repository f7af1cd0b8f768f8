"""COCO's masks in every form that occurs, and what is none of them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.errors import MaskDecodeError
from convert.record import Polygons, RunLengths
from convert.sources.annotations.coco import parse_rle, parse_segmentation, photo_paths
from shards.sample import Rle, Size

RING = [0, 0, 4.5, 0, 4, 4]
FORMS = {
    "one ring": ([RING], (Polygons((tuple(map(float, RING)),)),), ()),
    "two rings": ([RING, RING], (Polygons((tuple(map(float, RING)),) * 2),), ()),
    "a ring of two points": (
        [RING, [1, 2, 3, 4]],
        (Polygons((tuple(map(float, RING)),)),),
        ("ring without area left out",),
    ),
    "nothing but such": ([[1, 2], []], (), ("ring without area left out",) * 2),
    "odd numbers are for later": ([[1, 2, 3]], (Polygons(((1.0, 2.0, 3.0),)),), ()),
    "compressed": ({"size": [2, 3], "counts": "06"}, (Rle(Size(2, 3), b"06"),), ()),
    "uncompressed": ({"counts": [0, 6], "size": [2, 3]}, (RunLengths(Size(2, 3), (0, 6)),), ()),
    "several": ([{"size": [2, 3], "counts": "6"}] * 2, (Rle(Size(2, 3), b"6"),) * 2, ()),
    "both kinds": (
        [{"size": [2, 3], "counts": "6"}, {"size": [2, 3], "counts": [6]}],
        (Rle(Size(2, 3), b"6"), RunLengths(Size(2, 3), (6,))),
        (),
    ),
    "empty": ([], (), ("mask empty upstream",)),
    "null": (None, (), ("mask empty upstream",)),
}


@pytest.mark.parametrize(("value", "parts", "notes"), FORMS.values(), ids=FORMS)
def test_forms(value, parts, notes) -> None:
    assert parse_segmentation(json.dumps(value).encode()) == (parts, notes)


GARBAGE = {
    "nothing": b"",
    "not JSON": b"[[1, 2",
    "not UTF-8": b'[{"size": [1, 1], "counts": "\xff"}]',
    "a number": b"5",
    "true": b"true",
    "text": b'"abc"',
    "a list of numbers": b"[1, 2, 3, 4, 5, 6]",
    "a list of text": b'["abc"]',
    "text in a ring": b'[[1, 2, 3, 4, 5, "x"]]',
    "null in a ring": b"[[1, 2, 3, 4, 5, null]]",
    "rings in a ring": b"[[[1, 2], [3, 4], [5, 6]]]",
    "1e400 in a ring": b"[[1, 2, 3, 4, 5, 1e400]]",
    "400 digits in a ring": b"[[1, 2, 3, 4, 5, " + b"9" * 400 + b"]]",
    "5,000 digits in a ring": b"[[1, 2, 3, 4, 5, " + b"9" * 5000 + b"]]",
    "NaN in a ring": b"[[1, 2, 3, 4, 5, NaN]]",
    "an empty object": b"{}",
    "no counts": b'{"size": [1, 1]}',
    "no size": b'{"counts": "1"}',
    "one side": b'{"size": [1], "counts": "1"}',
    "three sides": b'{"size": [1, 1, 1], "counts": "1"}',
    "a side of text": b'{"size": ["x", 1], "counts": "1"}',
    "a size of null": b'{"size": null, "counts": "1"}',
    "a side of 5,000 digits": b'{"size": [1, ' + b"9" * 5000 + b'], "counts": null}',
    "counts of null": b'{"size": [1, 1], "counts": null}',
    "counts of a number": b'{"size": [1, 1], "counts": 1}',
    "counts of an object": b'{"size": [1, 1], "counts": {"a": 1}}',
    "counts of lists": b'{"size": [1, 1], "counts": [[1]]}',
    "counts not ASCII": '{"size": [1, 1], "counts": "é"}'.encode(),
    "an object and a number": b'[{"size": [1, 1], "counts": "1"}, 5]',
    "a ring and an object": b'[[0, 0, 1, 1, 2, 2], {"size": [1, 1], "counts": "1"}]',
    "100,000 deep": b"[" * 100_000,
    "100,000 deep and back": b"[" * 100_000 + b"]" * 100_000,
    **{
        f"{depth} deep in counts": b'{"size": [1, 1], "counts": %b%b}'
        % (b"[" * depth, b"]" * depth)
        for depth in range(800, 1000, 3)
    },
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_garbage(raw) -> None:
    with pytest.raises(MaskDecodeError):
        parse_segmentation(raw)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(values)
def test_any_json_is_a_mask_or_an_error(value) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode()
    for parse in (parse_segmentation, lambda _: parse_rle(value)):
        try:
            parse(raw)
        except MaskDecodeError:
            continue


@given(st.binary(max_size=60))
def test_any_bytes_are_a_mask_or_an_error(raw) -> None:
    try:
        parse_segmentation(raw)
    except MaskDecodeError:
        return


FOLDERS = ("x/train2014", "x/train2017", "x/val2017")


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        (
            "COCO_train2014_000000000009.jpg",
            (
                "x/train2014/COCO_train2014_000000000009.jpg",
                "x/train2017/000000000009.jpg",
                "x/val2017/000000000009.jpg",
            ),
        ),
        (
            "000000000009.jpg",
            (
                "x/train2014/COCO_train2014_000000000009.jpg",
                "x/train2017/000000000009.jpg",
                "x/val2017/000000000009.jpg",
            ),
        ),
        ("9.jpg", tuple(f"{folder}/9.jpg" for folder in FOLDERS)),
        ("COCO_train2014_9.jpg", tuple(f"{folder}/COCO_train2014_9.jpg" for folder in FOLDERS)),
        ("val2017/000000000009.jpg", ("x/val2017/000000000009.jpg",)),
    ],
)
def test_the_two_names_of_a_photo(name, paths) -> None:
    assert photo_paths(FOLDERS, name) == paths
