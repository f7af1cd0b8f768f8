"""Texts and their regions in shards, compared with simple readers of upstream's files.

These readers use neither `convert` nor the expected samples of the drawings. They return upstream's
data in its own pixels; one function compares the shards with it.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import astuple, replace
from PIL import Image

from shards.layout import read_split
from shards.sample import Region, Size, Span, Turn
from tests.oracle.test_plain_readers import assert_mask, decode, read_source


class Thing(NamedTuple):
    """A region but for its box and mask; corners in upstream's pixels; the mask at its size."""

    expected: Region
    corners: list[float] | None = None
    mask: npt.NDArray[np.bool_] | None = None


class Photo(NamedTuple):
    """All that a file says about one photo, by the name that it gives the photo."""

    file: str
    size: Size
    ids: dict[str, tuple[int | str, ...]]
    captions: list[str]
    things: list[Thing]


def measure(path):
    with Image.open(path) as photo:
        return Size(photo.height, photo.width)


def corners_of(row):
    x, y, width, height = row["bbox"]
    return [x, y, x + width, y + height]


def mask_of(segmentation, size):
    return decode(segmentation, size.height, size.width) if segmentation else None


def is_wanted(row, size):
    """What the reference's reader would not pass over."""
    x, y, width, height = row["bbox"]
    wide = min(x + width, size.width) - max(x, 0)
    high = min(y + height, size.height) - max(y, 0)
    return min(wide, high) > 0 and min(width, height) >= 1 and not row.get("ignore")


def read_rows(path, *, fewest=0, every=False):
    """Yield (photo, size, ids, [(row, its annotations)]), without what the filters leave out."""
    file = json.loads(path.read_text())
    names = {row["id"]: row["name"] for row in file["categories"]}
    rows = {row["id"]: (row, list[dict[str, Any]]()) for row in file["images"]}
    assert len(rows) == len(file["images"])
    for found in file["annotations"]:
        rows[found["image_id"]][1].append({**found, "category": names[found["category_id"]]})
    for name in {row["file_name"] for row, _ in rows.values()}:
        own = [pair for pair in rows.values() if pair[0]["file_name"] == name]
        ((height, width),) = {(int(row["height"]), int(row["width"])) for row, _ in own}
        size = Size(height, width)
        kept = [
            (row, [a for a in found if every or is_wanted(a, size)])
            for row, found in own
            if len(row.get("caption", "").split()) >= fewest
        ]
        yield name, size, {"row_ids": tuple(row["id"] for row, _ in kept)}, kept


def read_sentences(_: Path, path: Path, *, fewest: int, every: bool) -> Iterator[Photo]:
    for name, size, ids, rows in read_rows(path, fewest=fewest, every=every):
        captions = [row["caption"] for row, _ in rows]
        things = []
        for number, annotation in ((n, a) for n, (_, found) in enumerate(rows) for a in found):
            spans = annotation["tokens_positive"]
            expected = Region(
                phrases=tuple(captions[number][start:stop] for start, stop in spans),
                spans=tuple(Span(number, start, stop) for start, stop in spans),
                category=annotation["category"],
                ids={"ann_id": annotation["id"]},
            )
            mask = mask_of(annotation.get("sam_mask"), size)
            things.append(Thing(expected, corners_of(annotation), mask))
        yield Photo(name, size, ids, captions, things)


def read_expressions(_: Path, path: Path) -> Iterator[Photo]:
    for name, size, ids, rows in read_rows(path):
        meant: dict[int, list[Any]] = {}
        for row, annotation in ((row, a) for row, found in rows for a in found):
            meant.setdefault(annotation["original_id"], []).append((row["caption"], annotation))
        things = []
        for number, pairs in meant.items():
            ((category, *corners),) = {(a["category"], *corners_of(a)) for _, a in pairs}
            expected = Region(
                phrases=tuple(caption.strip() for caption, _ in pairs),
                category=category,
                ids={"ann_id": number, "row_ids": tuple(a["id"] for _, a in pairs)},
            )
            things.append(Thing(expected, corners))
        yield Photo(name, size, ids, [], things)


def read_descriptions(_: Path, path: Path) -> Iterator[Photo]:
    for name, size, ids, rows in read_rows(path):
        things = []
        for row in (annotation for _, found in rows for annotation in found):
            text = row["caption"].strip()
            expected = Region((text,), category=row["category"], ids={"ann_id": row["id"]})
            things.append(Thing(expected, corners_of(row)))
        yield Photo(name, size, ids, [], things)


def read_unplaced(root: Path, path: Path) -> Iterator[Photo]:
    """Yield photos of a file without offsets: repeated phrases get their occurrences in turn."""
    wrapped = [pair for row in json.loads(path.read_text()) for pair in row.items()]
    for name in dict.fromkeys(row["img_file_name"] for _, row in wrapped):
        size = measure(root / "coco_2014/train2014" / name)
        rows = {row_id: row for row_id, row in wrapped if row["img_file_name"] == name}
        captions, things = [], []
        for number, row in enumerate(rows.values()):
            caption = row["caption"].strip('"').strip()
            captions.append(caption)
            uses: dict[str, int] = {}
            for ref in row["refs"]:
                words = ref["sentence"]
                found = list(re.finditer(rf"\b{re.escape(words)}\b", caption, re.IGNORECASE))
                turn = uses.get(words.lower(), 0)
                uses[words.lower()] = turn + 1
                assert found or words.lower() not in caption.lower()
                spans = (Span(number, *found[turn].span()),) if found else ()
                mask = mask_of(ref["segmentation"], size)
                things.append(Thing(Region((words,), spans=spans), None, mask))
        yield Photo(name, size, {"row_ids": tuple(rows)}, captions, things)


def read_truth(root: Path, path: Path) -> Iterator[Photo]:
    """Yield photos of two files: captions with labels, and masks that are not linked to them."""
    truth, masks = (
        json.loads(path.with_name(path.name.replace("caption", what)).read_text())
        for what in ("caption", "mask")
    )
    names = {row["id"] for row in truth["images"] + masks["images"]}
    assert names >= {row["image_id"] for row in truth["annotations"] + masks["annotations"]}
    for name in names:
        size = measure(root / f"GranDf_HA_images/val_test/{name}.jpg")
        rows = [row for row in truth["annotations"] if row["image_id"] == name]
        things = [Thing(Region((label,))) for row in rows for label in row["labels"]]
        for row in (row for row in masks["annotations"] if row["image_id"] == name):
            mask = mask_of(row["segmentation"], size)
            things.append(Thing(Region(ids={"ann_id": row["id"]}), corners_of(row), mask))
        captions = [row["caption"].strip('"').strip() for row in rows]
        ids = {"caption_ids": tuple(row["id"] for row in rows)}
        yield Photo(f"{name}.jpg", size, ids, captions, things)


def read_database(root, path):
    """Yield (photo, its size, its rows) of the keys that a list names."""
    with (
        lmdb.open(str(path.parent), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        for key in path.read_text().split():
            rows = json.loads(transaction.get(key.encode()) or "")[key]
            yield key, measure(root / "GranD_Data/images" / key), rows


def read_grounded(root: Path, path: Path) -> Iterator[Photo]:
    for name, size, rows in read_database(root, path):
        things = []
        for number, row in enumerate(rows):
            for detail in row["details"]:
                span = Span(number, *detail["tokens_positive"])
                expected = Region(
                    (detail["phrase"],), spans=(span,), ids={"object_id": detail["id"]}
                )
                things.append(
                    Thing(expected, detail["bbox"], mask_of(detail["segmentation"], size))
                )
        yield Photo(name, size, {}, [row["caption"] for row in rows], things)


def clean(text):
    """Without the name that a language model gives itself first."""
    first, _, others = text.partition(" ")
    return others if first.lower().strip(":") in {"assistant", "istant"} else text


def read_referring(root: Path, path: Path) -> Iterator[Photo]:
    for name, size, rows in read_database(root, path):
        things = []
        for row in rows:
            texts = row["attribute"] or []
            texts = [texts] if isinstance(texts, str) else texts
            expected = Region(tuple(map(clean, texts)), ids={"object_id": row["id"]})
            things.append(Thing(expected, row["bbox"], mask_of(row["segmentation"], size)))
        yield Photo(name, size, {}, [], things)


read_all = partial(read_sentences, fewest=0, every=True)
read_long = partial(read_sentences, fewest=3, every=False)
MDETR = "RefCoco_Reg/mdetr_annotations"
ROWS = "GranDf/annotations/train"
TRUTH = "GranDf/annotations/val_test"
CAPTIONS = "GranD_Data/Grand_Caption_Grounding_lmdb/Grand_Caption_Grounding_lmdb"
OBJECTS = "GranD_Data/Grand_Referring_Expression_lmdb/Grand_Referring_Expression_lmdb"
SPLITS: dict[tuple[str, str], tuple[Callable[[Path, Path], Iterator[Photo]], str]] = {
    ("refcocog_gcg", "train"): (read_unplaced, f"{ROWS}/RefCOCOg_GCG_train.json"),
    ("refcocog_gcg", "val"): (read_unplaced, f"{ROWS}/RefCOCOg_GCG_val.json"),
    ("flickr_gcg", "train"): (read_all, f"{ROWS}/flickr_mergedGT_GCG_train.json"),
    ("flickr_gcg", "val"): (read_all, f"{ROWS}/flickr_mergedGT_GCG_val.json"),
    ("flickr30k", "train"): (read_long, f"{MDETR}/final_flickr_mergedGT_train.json"),
    ("refcoco_region", "train"): (read_expressions, f"{MDETR}/finetune_refcoco_train.json"),
    ("refcoco_region", "val"): (read_expressions, f"{MDETR}/finetune_refcoco_val.json"),
    ("refcoco_plus_region", "train"): (read_expressions, f"{MDETR}/finetune_refcoco+_train.json"),
    ("refcoco_plus_region", "val"): (read_expressions, f"{MDETR}/finetune_refcoco+_val.json"),
    ("refcocog_region", "train"): (read_expressions, f"{MDETR}/finetune_refcocog_train.json"),
    ("refcocog_region", "val"): (read_expressions, f"{MDETR}/finetune_refcocog_val.json"),
    ("visual_genome", "train"): (read_descriptions, "visual_genome/train.json"),
    ("visual_genome", "test"): (read_descriptions, "visual_genome/test_caption.json"),
    ("grandf_ha", "val"): (read_truth, f"{TRUTH}/val_gcg_coco_caption_gt.json"),
    ("grandf_ha", "test"): (read_truth, f"{TRUTH}/test_gcg_coco_caption_gt.json"),
    ("grand_caption", "train"): (read_grounded, f"{CAPTIONS}_Train.txt"),
    ("grand_caption", "val"): (read_grounded, f"{CAPTIONS}_Val.txt"),
    ("grand_referring", "train"): (read_referring, f"{OBJECTS}_Train.txt"),
    ("grand_referring", "val"): (read_referring, f"{OBJECTS}_Val.txt"),
}


def assert_said(sample, photo):
    stored, size = sample.image.size, photo.size
    assert Image.open(io.BytesIO(sample.image.data)).size == (stored.width, stored.height)
    assert (sample.file, sample.original_size, sample.ids) == (photo.file, size, photo.ids)
    assert list(sample.captions) == photo.captions
    assert sample.conversations == ()
    scale = np.tile([stored.width / size.width, stored.height / size.height], 2)
    for region, (expected, corners, mask) in zip(sample.regions, photo.things, strict=True):
        assert replace(region, box=None, mask=None) == expected
        assert (region.box is None, region.mask is None) == (corners is None, mask is None)
        if corners is not None:
            inside = np.clip(corners, 0, [size.width, size.height] * 2)
            np.testing.assert_allclose(astuple(region.box), inside * scale, rtol=0, atol=1e-9)
        if mask is not None:
            assert mask.shape == (size.height, size.width)
            assert_mask(region, mask, stored)
        found = [sample.captions[s.caption][s.start : s.stop].lower() for s in region.spans]
        assert found in ([], [phrase.lower() for phrase in region.phrases])


@pytest.mark.parametrize(("source", "split"), SPLITS)
def test_words(miniature, converted, source, split):
    read, place = SPLITS[source, split]
    photos = {
        f"{source}-{Path(p.file).stem}": p for p in read(miniature.root, miniature.root / place)
    }
    samples = {sample.key: sample for sample in read_split(converted / source / split)}
    assert sum(len(photo.things) for photo in photos.values())
    assert set(samples) == set(photos)
    for key, photo in photos.items():
        assert_said(samples[key], photo)


def test_conversations(miniature, converted):
    rows = json.loads((miniature.root / "llava_dataset/llava_instruct_150k.json").read_text())
    samples = read_source(converted, "llava_instruct")
    assert sorted(samples) == sorted({Path(row["image"]).stem for row in rows})
    for sample in samples.values():
        own = [row for row in rows if row["image"] == sample.file]
        assert sample.ids == {"conversation_ids": tuple(row["id"] for row in own)}
        assert sample.conversations == tuple(
            tuple(Turn(turn["from"], turn["value"]) for turn in row["conversations"]) for row in own
        )
        assert not sample.captions
        assert not sample.regions
