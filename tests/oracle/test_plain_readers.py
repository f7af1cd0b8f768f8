"""The contents of shards, compared with simple readers of upstream's files.

These readers use neither `convert` nor the expected samples of the drawings, but only json, pickle,
PIL, numpy and pycocotools.
"""

import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from shards.layout import read_split


class Plain(pickle.Unpickler):
    def find_class(self, module_name, global_name):
        raise AssertionError((module_name, global_name))


def read_source(out, source):
    folders = [path for path in (out / source).iterdir() if path.is_dir()]
    return {s.key.removeprefix(f"{source}-"): s for f in folders for s in read_split(f)}


def decode(segmentation, height, width):
    """Union of the parts at the annotation's own size: bool [height, width]."""
    if isinstance(segmentation, dict):
        segmentation = [segmentation]
    if segmentation and isinstance(segmentation[0], dict):
        parts = [
            coco_mask.frPyObjects(p, height, width) if isinstance(p["counts"], list) else p
            for p in segmentation
        ]
    else:
        parts = coco_mask.frPyObjects(segmentation, height, width)
    return np.any([coco_mask.decode(part) > 0 for part in parts], axis=0)


def assert_mask(region, expected, stored):
    image = Image.fromarray(expected.astype(np.uint8))
    small = image.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    found = {"size": [stored.height, stored.width], "counts": region.mask.counts}
    np.testing.assert_array_equal(coco_mask.decode(found), np.asarray(small))


LABELS = {
    "ade20k": ("Semantic_Segm/ade20k/annotations/*", lambda v: np.where(v == 0, 255, v - 1)),
    "coco_stuff": ("Semantic_Segm/coco_stuff/*", lambda v: v),
    "mapillary": ("Semantic_Segm/mapillary/*/v2.0/labels", lambda v: v),
}


@pytest.mark.parametrize("source", LABELS)
def test_label_maps(miniature, converted, source):
    folders, meaning = LABELS[source]
    paths = sorted(miniature.root.glob(f"{folders}/*.png"))
    samples = read_source(converted, source)
    assert len(samples) == len(paths)
    for path in paths:
        upstream = np.asarray(Image.open(path)).astype(int)
        stored = Image.open(io.BytesIO(samples[path.stem].labels.png))
        size = stored.size
        expected = Image.fromarray(meaning(upstream).astype(np.uint8))
        expected = expected.resize(size, Image.Resampling.NEAREST)
        np.testing.assert_array_equal(np.asarray(stored), np.asarray(expected))


REFS = {
    "refcoco": ("refcoco", "unc"),
    "refcoco_plus": ("refcoco+", "unc"),
    "refcocog": ("refcocog", "umd"),
    "refclef": ("refclef", "unc"),
}


@pytest.mark.parametrize("source", REFS)
def test_refs(miniature, converted, source):
    name, split_by = REFS[source]
    folder = miniature.root / "Refer_Segm" / name
    refs = Plain(io.BytesIO((folder / f"refs({split_by}).p").read_bytes())).load()
    file = json.loads((folder / "instances.json").read_text())
    images = {row["id"]: row for row in file["images"]}
    rows = {row["id"]: row for row in file["annotations"]}
    samples = read_source(converted, source)
    assert set(samples) == {f"{ref['image_id']:012d}" for ref in refs}
    expressions: dict[object, list[str]] = {}
    for ref in refs:
        expressions.setdefault(ref["ann_id"], []).extend(s["sent"] for s in ref["sentences"])
    regions = {r.ids["ann_id"]: (r, s) for s in samples.values() for r in s.regions}
    assert set(regions) == set(expressions)
    for ann_id, (region, sample) in regions.items():
        row = rows[ann_id]
        image = images[row["image_id"]]
        assert list(region.phrases) == expressions[ann_id]
        if row["segmentation"]:
            whole = decode(row["segmentation"], image["height"], image["width"])
            assert_mask(region, whole, sample.image.size)
        else:
            assert region.mask is None
        x, y, width, height = row["bbox"]
        corners = [x, y, x + width, y + height]
        limits = [image["width"], image["height"]] * 2
        box = region.box
        found = [box.x0, box.y0, box.x1, box.y1]
        np.testing.assert_allclose(found, np.clip(corners, 0, limits), atol=1e-9)


@pytest.mark.parametrize("split", ["train", "val"])
def test_captions(miniature, converted, split):
    path = miniature.root / f"coco_2017/annotations/captions_{split}2017.json"
    file = json.loads(path.read_text())
    samples = read_source(converted, "coco_captions")
    for image in file["images"]:
        texts = [r["caption"].strip() for r in file["annotations"] if r["image_id"] == image["id"]]
        assert list(samples[f"{image['id']:012d}"].captions) == texts


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("paco_lvis", "Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json"),
        ("pascal_part", "Semantic_Segm/pascal_part/train.json"),
    ],
)
def test_parts(miniature, converted, source, path):
    file = json.loads((miniature.root / path).read_text())
    names = {row["id"]: row["name"] for row in file["categories"]}
    samples = read_source(converted, source)
    for image in file["images"]:
        sample = samples[f"{image['id']:012d}"]
        rows = [row for row in file["annotations"] if row["image_id"] == image["id"]]
        assert [region.category for region in sample.regions] == [
            names[row["category_id"]] for row in rows
        ]
        for region, row in zip(sample.regions, rows, strict=True):
            if row["segmentation"]:
                whole = decode(row["segmentation"], image["height"], image["width"])
                assert_mask(region, whole, sample.image.size)
            thing = row.get("obj_ann_id", row["id"])
            if thing != row["id"]:
                assert rows[region.parent]["id"] == thing


@pytest.mark.parametrize(
    ("source", "name"), [("grandf_ha", "GranDf_HA_GCG"), ("openpsg_gcg", "OpenPsgGCG")]
)
def test_grounded_captions(miniature, converted, source, name):
    path = miniature.root / f"GranDf/annotations/train/{name}_train.json"
    samples = read_source(converted, source)
    number: dict[str, int] = {}
    at: dict[str, int] = {}
    seen = 0
    for row in json.loads(path.read_text()):
        key = row["file_name"].rpartition("/")[2].removesuffix(".jpg")
        sample = samples[key]
        caption = row["caption"].strip('"').strip()
        turn = number.get(key, 0)
        number[key] = turn + 1
        assert sample.captions[turn] == caption
        for phrase, grounding in row["groundings"].items():
            region = sample.regions[at.get(key, 0)]
            at[key] = at.get(key, 0) + 1
            assert region.phrases == (phrase,)
            if grounding is None:
                assert region.mask is None
                continue
            (span,) = region.spans
            assert [span.start, span.stop] == grounding["token_positives"]
            assert caption[span.start : span.stop].casefold() == phrase.casefold()
            whole = decode(grounding["rle_masks"], row["height"], row["width"])
            assert_mask(region, whole, sample.image.size)
            seen += 1
    assert seen
