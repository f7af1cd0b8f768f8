"""Each rule of a sample is checked."""

from typing import Any

import pytest

from shards.errors import SampleError
from shards.layout import check_sample
from shards.pixels import encode_mask
from shards.sample import MAX_KEY, Box, EncodedImage, Region, Rle, Sample, Size, Span

SIZE = Size(3, 5)


def make(**fields: Any) -> Sample:
    """A valid sample of 5x3 pixels, except for the given fields."""
    return Sample(
        **{"key": "a-1", "image": EncodedImage(b"", "jpg", SIZE), "original_size": SIZE, **fields}
    )


def mask(height: int, width: int) -> Rle:
    import numpy as np

    return encode_mask(np.zeros((height, width), bool))


GOOD = {
    "a bare one": {},
    "the longest key": {"key": "a" * MAX_KEY},
    "an id of Mapillary": {"key": "mapillary-__CRyFzoDOXn6unQ6a3DnQ"},
    "the largest box": {"regions": (Region(box=Box(0.0, 0.0, 5.0, 3.0)),)},
    "an empty box": {"regions": (Region(box=Box(5.0, 3.0, 5.0, 3.0)),)},
    "a mask of its size": {"regions": (Region(mask=mask(3, 5)),)},
    "the longest span": {"captions": ("", "ab"), "regions": (Region(spans=(Span(1, 0, 2),)),)},
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_good_samples_pass_unchanged(fields) -> None:
    sample = make(**fields)
    assert check_sample(sample) is sample


def _box(*corners: float) -> dict[str, Any]:
    return {"regions": (Region(), Region(box=Box(*corners)))}


def _span(*span: int) -> dict[str, Any]:
    return {"captions": ("ab",), "regions": (Region(spans=(Span(*span),)),)}


BAD = {
    "no key": ({"key": ""}, "a key matches"),
    "key too long": ({"key": "a" * (MAX_KEY + 1)}, "at most 88 bytes"),
    "key with a dot": ({"key": "a.b"}, "a key matches"),
    "key with a space": ({"key": "a b"}, "a key matches"),
    "key with a folder": ({"key": "a/b"}, "a key matches"),
    "key with a line break at its end": ({"key": "a\n"}, "a key matches"),
    "key that begins with _": ({"key": "_a"}, "a key matches"),
    "key that begins with -": ({"key": "-a"}, "a key matches"),
    "key that begins with a capital": ({"key": "Aa"}, "a key matches"),
    "key that is not ASCII": ({"key": "aé"}, "a key matches"),
    "key with a digit of another script": ({"key": "a٣"}, "a key matches"),
    "mask too low": ({"regions": (Region(mask=mask(2, 5)),)}, "mask is 5x2, image 5x3"),
    "mask turned": ({"regions": (Region(mask=mask(5, 3)),)}, "mask is 3x5, image 5x3"),
    "box off to the left": (_box(-0.1, 0, 1, 1), "region 1: .* is not inside"),
    "box off to the right": (_box(0, 0, 5.1, 1), "is not inside"),
    "box off the top": (_box(0, -0.1, 1, 1), "is not inside"),
    "box off the bottom": (_box(0, 0, 1, 3.1), "is not inside"),
    "box of negative width": (_box(2, 0, 1, 1), "is not inside"),
    "box of negative height": (_box(0, 2, 1, 1), "is not inside"),
    "box that is not a number": (_box(0, float("nan"), 1, 1), "is not inside"),
    "box without end": (_box(0, 0, float("inf"), 1), "is not inside"),
    "span of a caption before the first": (_span(-1, 0, 1), "one of 1 captions"),
    "span of a caption after the last": (_span(1, 0, 1), "one of 1 captions"),
    "span too long": (_span(0, 0, 3), "2 characters"),
    "empty span": (_span(0, 1, 1), "2 characters"),
    "span turned round": (_span(0, 2, 1), "2 characters"),
    "span from before its caption": (_span(0, -1, 1), "2 characters"),
    "parent before the first": ({"regions": (Region(parent=-1),)}, "parent -1"),
    "parent after the last": ({"regions": (Region(parent=1),)}, "parent 1"),
}


@pytest.mark.parametrize(("fields", "expected"), BAD.values(), ids=BAD)
def test_bad_samples_are_refused(fields, expected) -> None:
    with pytest.raises(SampleError, match=expected):
        check_sample(make(**fields))
