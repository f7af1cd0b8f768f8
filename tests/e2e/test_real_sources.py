"""Real annotation records, laid out as tiny sources, with the real photos where there are any."""

import io
import json
import pickle
import shutil

import lmdb
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from convert.run import run
from shards.layout import read_split
from shards.manifest import read_manifest
from shards.pixels import decode_mask


@pytest.fixture
def real(shared):
    return shared / "real"


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def paint(path, height, width):
    """A photo to go with a record whose own is not at hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 150)).save(path, "JPEG")


def convert(source, root, out, split="train"):
    assert run(source=[source], split=[split], workers=0, root=root, out=out) == 0
    return {sample.key: sample for sample in read_split(out / source / split)}


def test_coco_instances_with_a_crowd(real, tmp_path):
    """Polygons and a crowd's uncompressed runs, against pycocotools at the photos' own size."""
    root = tmp_path / "data"
    upstream = json.loads((real / "coco_instances/annotations.json").read_text())
    write(root / "Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json", upstream)
    shutil.copytree(real / "coco_instances/images", root / "coco_2017/train2017")
    samples = convert("paco_lvis", root, tmp_path / "out")
    assert len(samples) == len(upstream["images"])
    names = {row["id"]: row["name"] for row in upstream["categories"]}
    crowds = 0
    for image in upstream["images"]:
        sample = samples[f"paco_lvis-{image['id']:012d}"]
        rows = [row for row in upstream["annotations"] if row["image_id"] == image["id"]]
        assert [region.category for region in sample.regions] == [
            names[row["category_id"]] for row in rows
        ]
        for region, row in zip(sample.regions, rows, strict=True):
            size = image["height"], image["width"]
            parts = coco_mask.frPyObjects(row["segmentation"], *size)
            whole = coco_mask.merge(parts) if isinstance(parts, list) else parts
            np.testing.assert_array_equal(decode_mask(region.mask), coco_mask.decode(whole) > 0)
            crowds += "crowd" in region.attributes
    assert crowds


@pytest.mark.parametrize("split", ["train", "val"])
def test_coco_stuff(real, tmp_path, split):
    root = tmp_path / "data"
    folders = (
        (f"{split}_img", f"coco_2017/{split}2017"),
        (
            f"{split}_label",
            f"Semantic_Segm/stuffthingmaps/{split}2017",
        ),
    )
    for there, here in folders:
        shutil.copytree(real / "coco_stuff" / there, root / here)
    samples = convert("coco_stuff", root, tmp_path / "out", split)
    labels = sorted((real / "coco_stuff" / f"{split}_label").glob("*.png"))
    assert len(samples) == len(labels)
    for path in labels:
        stored = np.asarray(Image.open(io.BytesIO(samples[f"coco_stuff-{path.stem}"].labels.png)))
        np.testing.assert_array_equal(stored, np.asarray(Image.open(path)))


def test_mapillary_names_and_palette(real, tmp_path):
    root, stem = tmp_path / "data", "__CRyFzoDOXn6unQ6a3DnQ"
    training = root / "Semantic_Segm/mapillary/training"
    (training / "images").mkdir(parents=True)
    (training / "v2.0/labels").mkdir(parents=True)
    (root / "Semantic_Segm/mapillary/config_v2.0.json").write_text('{"labels": []}')
    shutil.copy(real / f"mapillary/{stem}.jpg", training / "images")
    shutil.copy(real / f"mapillary/v2.0_{stem}.png", training / f"v2.0/labels/{stem}.png")
    samples = convert("mapillary", root, tmp_path / "out")
    (sample,) = samples.values()
    assert sample.key == f"mapillary-{stem}"
    upstream = Image.open(real / f"mapillary/v2.0_{stem}.png")
    assert upstream.mode == "P"
    stored = Image.open(io.BytesIO(sample.labels.png))
    assert stored.mode == "L"
    np.testing.assert_array_equal(np.asarray(stored), np.asarray(upstream))


def test_flickr_rows_with_sizes_in_strings(real, tmp_path):
    root = tmp_path / "data"
    upstream = json.loads((real / "snippets/mdetr_flickr_records.json").read_text())
    images = [row for row in upstream["images"] if "id" in row]
    known = {row["id"] for row in images}
    rows = [row for row in upstream["annotations"] if row.get("image_id") in known]
    assert images
    assert all(isinstance(row["height"], str) for row in images)
    file = {**upstream, "images": images, "annotations": rows}
    write(root / "RefCoco_Reg/mdetr_annotations/final_flickr_mergedGT_train.json", file)
    for row in images:
        paint(root / "flikcr_30k/train" / row["file_name"], int(row["height"]), int(row["width"]))
    samples = convert("flickr30k", root, tmp_path / "out")
    (row,) = rows
    image = next(image for image in images if image["id"] == row["image_id"])
    sample = samples[f"flickr30k-{image['file_name'][:-4]}"]
    assert sample.captions == (image["caption"],)
    (region,) = sample.regions
    assert region.phrases == ("Two people",)
    x, y, width, height = row["bbox"]
    assert (region.box.x0, region.box.y0) == (x, y)
    assert (region.box.x1, region.box.y1) == (x + width, y + height)


def test_a_refcoco_object(real, tmp_path):
    root = tmp_path / "data"
    snippet = json.loads((real / "snippets/refcoco_instances_and_ref.json").read_text())
    image, row, ref = (snippet[name] for name in ("image0", "annotation0", "ref0"))
    # The snippet's ref is about another photo; its sentences do for this one.
    ref = {**ref, "image_id": image["id"], "ann_id": row["id"]}
    categories = [{"id": row["category_id"], "name": "dog"}]
    file = {"images": [image], "annotations": [row], "categories": categories}
    write(root / "Refer_Segm/refcoco/instances.json", file)
    (root / "Refer_Segm/refcoco/refs(unc).p").write_bytes(pickle.dumps([ref], protocol=2))
    paint(root / "coco_2014/train2014" / image["file_name"], image["height"], image["width"])
    (sample,) = convert("refcoco", root, tmp_path / "out").values()
    (region,) = sample.regions
    assert region.phrases == tuple(sentence["sent"] for sentence in ref["sentences"])
    parts = coco_mask.frPyObjects(row["segmentation"], image["height"], image["width"])
    expected = coco_mask.decode(coco_mask.merge(parts)) > 0
    np.testing.assert_array_equal(decode_mask(region.mask), expected)


def test_a_llava_conversation(real, tmp_path):
    root = tmp_path / "data"
    name = "snippets/llava_instruct_150k_record0.json"
    record = json.loads((real / name).read_text())["record"]
    write(root / "llava_dataset/llava_instruct_150k.json", [record])
    paint(root / "coco_2017/train2017" / record["image"], 480, 640)
    (sample,) = convert("llava_instruct", root, tmp_path / "out").values()
    (turns,) = sample.conversations
    assert [(t.speaker, t.text) for t in turns] == [
        (turn["from"], turn["value"]) for turn in record["conversations"]
    ]
    assert sample.ids["conversation_ids"] == (record["id"],)


@pytest.mark.parametrize("name", ["sa_302406", "sa_310343"])
def test_grand_objects(real, tmp_path, name):
    """Level-2 annotations as upstream's own script makes referring expressions of them."""
    root, file = tmp_path / "data", f"{name}.jpg"
    objects = json.loads((real / f"grand/{name}.json").read_text())[file]["objects"]
    rows = [
        {"attribute": o["attributes"], "id": o["id"], "bbox": o["bbox"], "segmentation": None}
        for o in objects
        if o["attributes"]
    ]
    assert rows
    folder = root / "GranD_Data/Grand_Referring_Expression_lmdb"
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 20) as database, database.begin(write=True) as change:
        change.put(file.encode(), json.dumps({file: rows}).encode())
    paint(root / "GranD_Data/images" / file, 1500, 2250)
    out = tmp_path / "out"
    (sample,) = convert("grand_referring", root, out).values()
    assert len(sample.regions) == len(rows)
    assert not any("ssistant:" in phrase for r in sample.regions for phrase in r.phrases)
    outside = 0
    for region, row in zip(sample.regions, rows, strict=True):
        x0, y0, x1, y1 = row["bbox"]
        outside += x0 < 0 or y0 < 0 or x1 > 2250 or y1 > 1500
        clipped = np.clip([x0, y0, x1, y1], 0, [2250, 1500, 2250, 1500])
        scale = np.array([1024 / 2250, 683 / 1500] * 2)
        found = [region.box.x0, region.box.y0, region.box.x1, region.box.y1]
        np.testing.assert_allclose(found, clipped * scale, atol=1e-6)
        assert region.ids["object_id"] == row["id"]
    assert (
        read_manifest(out / "grand_referring/train").tally.notes.get("box clipped to its photo", 0)
        == outside
    )
