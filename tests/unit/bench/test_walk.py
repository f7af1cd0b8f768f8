"""A photo's way through `convert`: control enters no module twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.walk import Tracer
from convert.image.policy import ImagePolicy
from convert.record import Polygons, RawLabelMap, RawRegion, Record
from convert.sample.filters import KEEP_ALL, Filters
from convert.sample.transform import transform
from shards.sample import Box, Size
from tests.property.pictures import exif, jpeg, picture, save, with_segment
from tests.unit.convert.sample.test_labels import TABLE, png

ROOT = Path(__file__).parents[3]
SQUARE = Polygons(((1.0, 1.0, 9.0, 1.0, 9.0, 9.0),))
REGION = RawRegion(box=Box(1.0, 2.0, 70.0, 20.0), masks=(SQUARE,))
RECORD = Record(("x.jpg",), "x.jpg", captions=("a mug",), regions=(REGION,) * 3)
LABELS = png(np.zeros((48, 64)))
FITS, SMALLER = ImagePolicy(), ImagePolicy(longest_side=32)
PHOTOS = {
    "kept": jpeg(),
    "progressive": jpeg(progressive=True),
    "gray": jpeg(mode="L"),
    "CMYK": jpeg(mode="CMYK"),
    "odd chroma sampling": jpeg(sampling="411"),
    "EXIF orientation": jpeg(exif=exif(3)),
    "PNG": save(picture(48, 64), "PNG"),
    "PNG with an orientation": save(picture(48, 64), "PNG", exif=exif(3)),
    "damaged metadata": with_segment(jpeg(), 0xE1, b"Exif\0\0MM"),
    "junk in front of a segment": jpeg()[:2] + b"junk" + jpeg()[2:],
}


@pytest.mark.parametrize("filters", [KEEP_ALL, Filters(box_side=2, caption_words=2)], ids=str)
@pytest.mark.parametrize("policy", [FITS, SMALLER], ids=["fits", "smaller"])
@pytest.mark.parametrize("photo", PHOTOS.values(), ids=PHOTOS)
@pytest.mark.parametrize("size", [None, Size(48, 64)], ids=str)
def test_no_module_is_entered_twice(size, photo, policy, filters) -> None:
    record = replace(RECORD, size=size, labels=RawLabelMap(("x.png",), TABLE))
    tracer = Tracer(ROOT, "transform")
    tracer.watch(lambda: transform("a-1", record, photo, LABELS, policy, filters=filters))
    (walk,) = tracer.walks
    entries = {path: n for path, n in walk.entries.items() if path.startswith("convert")}
    assert entries["convert/image/store.py"] == 1
    assert max(entries.values()) == 1, entries


def test_a_kept_photo_passes_through_five_modules() -> None:
    tracer = Tracer(ROOT, "transform")
    tracer.watch(lambda: transform("a-1", RECORD, jpeg(), None, FITS))
    assert sorted(path for path in tracer.walks[0].files if path.startswith("convert")) == [
        "convert/geometry.py",
        "convert/image/header.py",
        "convert/image/store.py",
        "convert/sample/masks.py",
        "convert/sample/transform.py",
    ]
