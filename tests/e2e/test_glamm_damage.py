"""A loader skips and counts damaged samples. It replaces only sound ones that have no example."""

import io

import numpy as np
import pytest
from PIL import Image

from shards.classes import ClassInfo
from shards.errors import DecodeError
from shards.glamm import Examples, Settings
from shards.load.batches import LoaderOptions
from shards.pixels import encode_mask
from shards.sample import EncodedImage, LabelMap, Region, Rle, Sample, Size
from tests.loading import make_loader, write_split

SIZE = Size(20, 30)
SMALL = Settings(clip_side=28, sam_side=64)
DAMAGED, WITHOUT_MASK = 2, 4
"""Numbers of the sample that is damaged, and of a sound one that has no example."""
MASKS = Examples("refcoco", SMALL)
LABELS = Examples("ade20k", SMALL, classes=(ClassInfo(1, "wall"),))


def encode(pixels, format_):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format_)
    return out.getvalue()


PHOTO = EncodedImage(encode(np.zeros((20, 30, 3), np.uint8), "JPEG"), "jpg", SIZE)
MASK = encode_mask(np.ones((20, 30), np.bool_))
LABEL_MAP = encode(np.ones((20, 30), np.uint8), "PNG")


def with_mask(number, damage):
    mask = Rle(SIZE, damage) if number == DAMAGED else MASK
    region = Region(("a thing",), None, None if number == WITHOUT_MASK else mask)
    return Sample(f"small-{number:06d}", PHOTO, SIZE, regions=(region,))


def with_labels(number, damage):
    png = damage if number == DAMAGED else LABEL_MAP
    classes = () if number == WITHOUT_MASK else (1,)
    labels = LabelMap(png, "ade20k", classes)
    return Sample(f"small-{number:06d}", PHOTO, SIZE, labels=labels)


@pytest.mark.parametrize(
    ("examples", "make", "damage", "reason"),
    [
        (MASKS, with_mask, b"1", r"small-000002\.mp: region 0: "),
        (MASKS, with_mask, b"\xff", r"small-000002\.mp: region 0: "),
        (LABELS, with_labels, b"no image", r"small-000002\.labels\.png: does not decode"),
        (LABELS, with_labels, LABEL_MAP[:45], r"small-000002\.labels\.png: does not decode"),
        (
            LABELS,
            with_labels,
            encode(np.ones((1, 64), np.uint8), "PNG"),
            r"small-000002\.labels\.png: is 64x1, its annotations say 30x20",
        ),
    ],
)
@pytest.mark.parametrize("threads", [0, 2])
def test_a_damaged_annotation_is_skipped_not_replaced(  # noqa: PLR0913, PLR0917 - a table
    tmp_path, examples, make, damage, reason, threads
):
    folder = write_split(tmp_path / "small", [6], make=lambda number: make(number, damage))
    options = LoaderOptions(threads=threads, skip=1)
    loader = make_loader(folder, 6, example=examples.example, options=options, seed=1)
    (batch,) = loader
    keys = [example.key for example in batch]
    assert len(keys) == 5
    assert not {f"small-{DAMAGED:06d}", f"small-{WITHOUT_MASK:06d}"} & set(keys)
    assert (loader.skipped, loader.replaced) == (1, 1)
    strict = make_loader(
        folder, 6, example=examples.example, options=LoaderOptions(threads=threads)
    )
    with pytest.raises(DecodeError, match=reason):
        list(strict)
