"""Drawings of sentences, expressions, conversations and databases: upstream's layout and quirks."""

import json
import re
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

from convert.demo.scene.photos import DrawOptions
from convert.demo.scene.raster import Mask
from convert.demo.sources.flickr import draw_flickr30k, draw_flickr_gcg
from convert.demo.sources.grand import draw_grand_caption, draw_grand_referring
from convert.demo.sources.llava_instruct import draw_llava_instruct
from convert.demo.sources.openpsg_gcg import draw_openpsg_gcg
from convert.demo.sources.refcoco_region import (
    draw_refcoco_plus_region,
    draw_refcoco_region,
    draw_refcocog_region,
)
from convert.demo.sources.refcocog_gcg import draw_refcocog_gcg
from convert.demo.sources.visual_genome import draw_visual_genome

pytestmark = pytest.mark.slow
GCG = "GranDf/annotations/train"
RECORDS = "llava_dataset/llava_instruct_150k.json"
MDETR = "RefCoco_Reg/mdetr_annotations"
DRAWN = {
    "openpsg_gcg": draw_openpsg_gcg,
    "refcocog_gcg": draw_refcocog_gcg,
    "flickr30k": draw_flickr30k,
    "flickr_gcg": draw_flickr_gcg,
    "refcoco_region": draw_refcoco_region,
    "refcoco_plus_region": draw_refcoco_plus_region,
    "refcocog_region": draw_refcocog_region,
    "visual_genome": draw_visual_genome,
    "llava_instruct": draw_llava_instruct,
    "grand_caption": draw_grand_caption,
    "grand_referring": draw_grand_referring,
}
SOURCES = sorted(DRAWN)
MDETR_FILES = {
    "flickr30k": f"{MDETR}/final_flickr_mergedGT_train.json",
    "flickr_gcg": f"{GCG}/flickr_mergedGT_GCG_train.json",
    "refcoco_region": f"{MDETR}/finetune_refcoco_train.json",
    "refcoco_plus_region": f"{MDETR}/finetune_refcoco+_train.json",
    "refcocog_region": f"{MDETR}/finetune_refcocog_train.json",
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """All of them in one folder, as they are downloaded, without defects."""
    root = tmp_path_factory.mktemp("drawn")
    return root, {name: DRAWN[name](DrawOptions(root, 12)) for name in SOURCES}


@pytest.fixture(scope="module")
def defective(tmp_path_factory):
    root = tmp_path_factory.mktemp("defective")
    return root, {name: DRAWN[name](DrawOptions(root, 3, with_defects=True)) for name in SOURCES}


def read(root: Path, place: str):
    return json.loads((root / place).read_text())


def read_lmdb(folder: Path) -> dict[str, list[dict[str, Any]]]:
    with (
        lmdb.open(str(folder), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        entries = {key.decode(): json.loads(value) for key, value in transaction.cursor()}
    assert all(list(value) == [key] for key, value in entries.items())
    return {key: value[key] for key, value in entries.items()}


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_seed_gives_the_same_bytes(source, tmp_path):
    truths = []
    for name in ("a", "b"):
        # Over older files, which they replace.
        DRAWN[source](DrawOptions(tmp_path / name, 1, seed=4))
        truths.append(DRAWN[source](DrawOptions(tmp_path / name, 2, seed=5, with_defects=True)))
    trees = [
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("a", "b")
    ]
    assert truths[0] == truths[1]
    assert trees[0] == trees[1]


@pytest.mark.parametrize("source", SOURCES)
def test_truth_is_whole(source, drawn, defective):
    for root, truths in (drawn, defective):
        truth = truths[source]
        assert truth.source == source
        assert bool(truth.rejects) == (truths is defective[1])
        for sample in truth.samples:
            height, width = sample.size
            with Image.open(root / sample.photo) as image:
                assert sorted(image.size) == sorted((height, width))
            for region in sample.regions:
                assert region.mask is None or region.mask.shape == sample.size
                if region.box is not None:
                    x0, y0, x1, y1 = region.box
                    assert 0 <= x0 <= x1 <= width
                    assert 0 <= y0 <= y1 <= height
                for caption, start, stop in region.spans:
                    assert 0 <= start < stop <= len(sample.captions[caption])


def test_no_photo_is_of_two_sources(defective):
    ids = [s.id for truth in defective[1].values() for s in (*truth.samples, *truth.rejects)]
    numbers = [int(re.sub(r"\D+", "", text.replace("train2014", ""))) for text in ids]
    assert len(set(numbers)) == len(numbers)


def test_openpsgs_splits_take_photos_from_both_folders(drawn):
    root, truths = drawn
    for split in ("train", "val"):
        rows = read(root, f"{GCG}/OpenPsgGCG_{split}.json")
        assert {row["file_name"].split("/")[0] for row in rows} == {"train2017", "val2017"}
        assert all((root / "coco_2017" / row["file_name"]).is_file() for row in rows)
        stems = {Path(row["file_name"]).stem for row in rows}
        assert stems == {s.id for s in truths["openpsg_gcg"].samples if s.split == split}


def test_refcocogs_captions_say_phrases_in_other_capitals_twice_and_not_at_all(drawn):
    root, truths = drawn
    rows = [row for wrapped in read(root, f"{GCG}/RefCOCOg_GCG_train.json") for row in wrapped]
    values = [v for w in read(root, f"{GCG}/RefCOCOg_GCG_train.json") for v in w.values()]
    assert all(isinstance(key, str) for key in rows)
    assert {value["caption"].startswith('"') for value in values} == {True, False}
    assert all(isinstance(ref["segmentation"][0], list) for v in values for ref in v["refs"])
    nested = False
    for sample in truths["refcocog_gcg"].samples:
        for number, caption in enumerate(sample.captions):
            said = [r for r in sample.regions if r.spans and r.spans[0][0] == number]
            texts = [(r.phrases[0], caption[r.spans[0][1] : r.spans[0][2]]) for r in said]
            assert all(a.casefold() == b.casefold() for a, b in texts)
            assert any(a != b for a, b in texts)
            places = [region.spans[0][1:] for region in said]
            assert len(set(places)) == len(places)
            assert len([a for a, _ in texts if a.casefold() == "one thing"]) == 2
            nested |= any(a[0] < b[0] and b[1] <= a[1] for a in places for b in places)
        assert any(not region.spans for region in sample.regions)
    assert nested


@pytest.mark.parametrize("source", ["flickr30k", "flickr_gcg"])
def test_flickrs_rows_are_sentences(source, drawn):
    root, truths = drawn
    file = read(root, MDETR_FILES[source])
    assert file["info"] == file["licenses"] == []
    rows = {row["id"]: row for row in file["images"]}
    assert len(rows) == len(file["images"])
    assert all(isinstance(row[side], str) for row in rows.values() for side in ("height", "width"))
    per_photo = 5 if source == "flickr30k" else 3
    train = [s for s in truths[source].samples if s.split == "train"]
    # Every fourth photo has one more, too short to keep.
    blurted = sum(int(s.id) % 4 == 0 for s in train) if source == "flickr30k" else 0
    assert len(rows) == per_photo * len(train) + blurted
    assert any(row["caption"].endswith(" .") for row in rows.values())
    assert not any(re.search(r"\S[.,]|  [.,]", row["caption"]) for row in rows.values())
    named = {row["image_id"] for row in file["annotations"]}
    assert named < rows.keys()
    spans = [row["tokens_positive"] for row in file["annotations"]]
    assert max(map(len, spans)) > 1
    outside = False
    for row in file["annotations"]:
        sentence = rows[row["image_id"]]
        x, _, width, _ = row["bbox"]
        outside |= x + width > int(sentence["width"])
        assert ("sam_mask" in row) == (source == "flickr_gcg")
        if "sam_mask" in row:
            size = int(sentence["height"]), int(sentence["width"])
            assert tuple(row["sam_mask"]["size"]) == size
            assert Mask(size, row["sam_mask"]["counts"].encode()).area >= 0
    assert outside


@pytest.mark.parametrize("source", ["refcoco_region", "refcoco_plus_region", "refcocog_region"])
def test_expressions_have_a_row_and_a_box_each(source, drawn):
    root, truths = drawn
    file = read(root, MDETR_FILES[source])
    ids = [row["id"] for row in file["images"]]
    assert sorted(row["image_id"] for row in file["annotations"]) == sorted(set(ids)) == ids
    assert {row["original_id"] for row in file["images"]} < set(range(10_000_000))
    apart = False
    for sample in truths[source].samples:
        said = [row["caption"] for row in file["images"] if row["file_name"] == f"{sample.id}.jpg"]
        phrases = [phrase for region in sample.regions for phrase in region.phrases]
        assert sample.split != "train" or sorted(phrases) == sorted(said)
        apart |= said != phrases
    assert apart


def test_visual_genomes_regions_are_careless(drawn):
    root, _ = drawn
    train = read(root, "visual_genome/train.json")
    test = read(root, "visual_genome/test_caption.json")
    assert len({row["file_name"] for row in train["images"]}) == len(train["images"])
    assert len({row["file_name"] for row in test["images"]}) < len(test["images"])
    assert [row["id"] for row in test["annotations"]] == [row["id"] for row in test["images"]]
    assert all(row["image_id"] == row["id"] for row in test["annotations"])
    sizes = {row["id"]: (row["height"], row["width"]) for row in train["images"]}
    boxes = [(row["bbox"], sizes[row["image_id"]]) for row in train["annotations"]]
    assert any(box[0] < 0 for box, _ in boxes)
    assert any(box[0] + box[2] > width for box, (_, width) in boxes)
    assert any(box[2] == 0 for box, _ in boxes)
    assert any(row["caption"] != row["caption"].strip() for row in train["annotations"])
    assert (root / "visual_genome/images/n123.jpg").is_file()


def test_records_of_one_photo_stand_apart_and_say_where_it_comes(drawn, defective):
    root, truths = drawn
    records = read(root, RECORDS)
    ids = [record["id"] for record in records]
    counts = {len(sample.conversations) for sample in truths["llava_instruct"].samples}
    assert counts == {1, 2, 3}
    assert {f"{record['id']}.jpg" for record in records} == {r["image"] for r in records}
    assert not all(a == b for a, b in zip(ids, sorted(ids), strict=True))
    firsts = [record["conversations"][0]["value"] for record in records]
    assert any(text.startswith("<image>\n") for text in firsts)
    assert any(text.endswith("\n<image>") for text in firsts)
    assert all(text.count("<image>") == 1 for text in firsts)
    begins = [record["conversations"][0]["from"] for record in read(defective[0], RECORDS)]
    assert begins.count("gpt") == 1


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("grand_caption", "Grand_Caption_Grounding_lmdb"),
        ("grand_referring", "Grand_Referring_Expression_lmdb"),
    ],
)
def test_databases_hold_more_than_their_lists_name(source, folder, drawn):
    root, truths = drawn
    entries = read_lmdb(root / "GranD_Data" / folder)
    assert not (root / "GranD_Data" / folder / "lock.mdb").exists()
    listed = set()
    for ending, split in (("Train", "train"), ("Val", "val")):
        text = (root / "GranD_Data" / folder / f"{folder}_{ending}.txt").read_text()
        assert text.endswith("\n")
        names = set(text.split())
        assert names == {f"{s.id}.jpg" for s in truths[source].samples if s.split == split}
        listed |= names
    assert listed < entries.keys()
    for sample in truths[source].samples:
        height, width = sample.size
        rows = entries[f"{sample.id}.jpg"]
        details = rows if source == "grand_referring" else [d for r in rows for d in r["details"]]
        assert len(details) == len(sample.regions)
        boxes = [d["bbox"] for d in details if d["bbox"] is not None]
        assert all(box[0] <= box[2] and box[1] <= box[3] for box in boxes)
        if rows:
            assert boxes[0][0] < 0
            assert boxes[0][2] > width
            assert boxes[0][3] > height
            ids = [d["id"] for d in details]
            assert len(set(ids)) < len(ids)
    assert any(not sample.regions for sample in truths[source].samples)


def test_expressions_are_null_lists_and_text_with_residue(drawn):
    root, truths = drawn
    rows = [
        row
        for rows in read_lmdb(root / "GranD_Data/Grand_Referring_Expression_lmdb").values()
        for row in rows
    ]
    assert {type(row["attribute"]) for row in rows} == {type(None), list, str}
    assert any("Assistant: " in str(row["attribute"]) for row in rows)
    meant = [p for s in truths["grand_referring"].samples for r in s.regions for p in r.phrases]
    assert not any("istant" in text.replace("distant", "") for text in meant)
    assert any("distant" in text for text in meant)


def test_captions_ground_phrases_in_boxes_masks_both_or_neither(drawn):
    regions = [r for s in drawn[1]["grand_caption"].samples for r in s.regions]
    found = {(r.box is None, r.runs is None) for r in regions}
    assert found == {(True, True), (True, False), (False, True), (False, False)}
    assert all(len(s.captions) in {0, 2} for s in drawn[1]["grand_caption"].samples)
    assert any(np.any(r.mask) for r in regions if r.mask is not None)
