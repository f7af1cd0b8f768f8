"""Drawn label maps, parts and refs, against upstream's schemas; no reader takes part."""

import json
import pickle
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from convert import errors
from convert.demo.scene.photos import DrawOptions
from convert.demo.sources.coco_stuff import draw_coco_stuff
from convert.demo.sources.mapillary import draw_mapillary
from convert.demo.sources.mapillary_labels import LABELS
from convert.demo.sources.paco_lvis import draw_paco_lvis
from convert.demo.sources.pascal_part import draw_pascal_part
from convert.demo.sources.refclef import draw_refclef
from convert.demo.sources.refcoco import draw_refcoco, draw_refcoco_plus, draw_refcocog

pytestmark = pytest.mark.slow
CLASSES = Path(__file__).parents[4] / "configs" / "classes"
RUNS = re.compile(r"[0-o]+")
DRAWINGS = {
    "coco_stuff": (draw_coco_stuff, {"train", "val"}),
    "mapillary": (draw_mapillary, {"train", "val"}),
    "paco_lvis": (draw_paco_lvis, {"train", "val", "test"}),
    "pascal_part": (draw_pascal_part, {"train"}),
    "refcoco": (draw_refcoco, {"train", "val", "testA", "testB"}),
    "refcoco_plus": (draw_refcoco_plus, {"train", "val", "testA", "testB"}),
    "refcocog": (draw_refcocog, {"train", "val", "test"}),
    "refclef": (draw_refclef, {"train", "val", "testA", "testB", "testC"}),
}


def tree(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def read_json(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    return root, {name: draw(DrawOptions(root, 12)) for name, (draw, _) in DRAWINGS.items()}


@pytest.fixture(scope="module")
def defective(tmp_path_factory):
    root = tmp_path_factory.mktemp("defective")
    options = DrawOptions(root, 5, with_defects=True)
    return root, {name: draw(options) for name, (draw, _) in DRAWINGS.items()}


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_the_same_seed_gives_the_same_bytes_and_the_same_truth(source, tmp_path):
    draw, _ = DRAWINGS[source]
    first = draw(DrawOptions(tmp_path / "a", 3, 5, with_defects=True))
    assert first.source == source
    assert draw(DrawOptions(tmp_path / "b", 3, 5, with_defects=True)) == first
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert draw(DrawOptions(tmp_path / "c", 3, 6, with_defects=True)) != first


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_every_split_gets_a_photo_and_every_file_is_there_at_once(source, drawn, tmp_path):
    draw, splits = DRAWINGS[source]
    assert {sample.split for sample in drawn[1][source].samples} == splits
    draw(DrawOptions(tmp_path / "1", 1))
    draw(DrawOptions(tmp_path / "n", len(splits)))
    names = [
        {name for name in tree(tmp_path / count) if name.endswith((".json", ".p"))}
        for count in ("1", "n")
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_a_sample_is_the_same_however_many_there_are(source, drawn, defective):
    many = {(sample.split, sample.id): sample for sample in drawn[1][source].samples}
    few = {(sample.split, sample.id): sample for sample in defective[1][source].samples}
    both = many.keys() & few.keys()
    assert len(both) == 5
    for key in both:
        assert many[key] == few[key]
        photo = many[key].photo
        assert (drawn[0] / photo).read_bytes() == (defective[0] / photo).read_bytes()


@pytest.mark.parametrize("source", sorted(DRAWINGS))
def test_truth_is_of_the_photos_size_and_parents_are_wholes(source, drawn):
    root, truths = drawn
    for sample in truths[source].samples:
        with Image.open(root / sample.photo) as image:
            assert (image.height, image.width) == sample.size
        assert sample.labels is None or sample.labels.shape == sample.size
        for region in sample.regions:
            assert region.mask is None or region.mask.shape == sample.size
            if region.parent is not None:
                whole = sample.regions[region.parent]
                assert whole.parent is None
                assert region.category.startswith(f"{whole.category}:")


def test_every_source_has_rejects_of_several_kinds_and_ids_of_its_own(defective):
    truths = defective[1]
    for truth in truths.values():
        kinds = {reject.error for reject in truth.rejects}
        assert {"ImageMissingError", "ImageDecodeError", "SizeMismatchError"} < kinds
        assert all(issubclass(getattr(errors, kind), errors.RecordError) for kind in kinds)
    # RefCOCOg's photos are RefCOCO's, as upstream; but none that is defective.
    others = [truth for truth in truths.values() if truth.source != "refcocog"]
    ids = [s.id for truth in others for s in (*truth.samples, *truth.rejects)]
    assert len(ids) == len(set(ids))
    spoilt_ids = {reject.id for truth in truths.values() for reject in truth.rejects}
    assert not spoilt_ids & {s.id for truth in truths.values() for s in truth.samples}


def test_label_maps_of_coco_stuff_name_what_is_drawn(drawn):
    root, truths = drawn
    names = {row["value"]: row["name"] for row in read_json(CLASSES / "coco_stuff.json")["classes"]}
    seen = set()
    for sample in truths["coco_stuff"].samples:
        place = sample.photo.replace("coco_2017", "Semantic_Segm/coco_stuff")
        with Image.open(root / place.replace(".jpg", ".png")) as image:
            assert image.mode == "L"
            values = np.asarray(image)
        np.testing.assert_array_equal(values, sample.labels)
        seen |= set(np.unique(values).tolist())
    assert 255 in seen
    assert {names[n] for n in seen - {255}} >= {"sky", "floor-wood", "wall-other", "grass"}


def test_label_maps_of_mapillary_have_upstreams_palette(drawn):
    root, truths = drawn
    colours = [list(colour.to_bytes(3, "big")) for _, colour in LABELS]
    for sample in truths["mapillary"].samples:
        place = sample.photo.replace("/images/", "/v2.0/labels/").replace(".jpg", ".png")
        with Image.open(root / place) as image:
            palette = np.array(image.getpalette()).reshape(-1, 3)
            assert (image.mode, palette.shape) == ("P", (256, 3))
            np.testing.assert_array_equal(np.asarray(image), sample.labels)
        assert palette[:124].tolist() == colours
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", sample.id)
    ids = [sample.id for sample in truths["mapillary"].samples]
    assert all(any(name.startswith(start) for name in ids) for start in ("-", "_", "__"))
    shared = [n for n in Counter(map(tuple, colours)).values() if n > 1]
    assert (len(shared), max(shared)) == (11, 9)
    labels = read_json(root / "Semantic_Segm/mapillary/config_v2.0.json")["labels"]
    table = read_json(CLASSES / "mapillary.json")["classes"]
    assert [row["readable"] for row in labels] == [row["name"] for row in table]
    assert [row["color"] for row in labels] == colours
    assert labels[0]["name"] == "animal--bird"


def test_paco_has_objects_that_name_themselves_and_parts_that_name_objects(drawn):
    root, truths = drawn
    folder = root / "Semantic_Segm/paco_lvis/annotations"
    files = {s: read_json(folder / f"paco_lvis_v1_{s}.json") for s in ("train", "val", "test")}
    assert "queries" in files["test"]
    assert "queries" not in files["train"]
    folders = {row["file_name"].split("/")[0] for row in files["test"]["images"]}
    assert folders == {"train2017", "val2017"}
    rows = [row for file in files.values() for row in file["annotations"]]
    objects = {row["id"]: row for row in rows if row["id"] == row["obj_ann_id"]}
    parts = [row for row in rows if row["id"] != row["obj_ann_id"]]
    assert objects
    assert parts
    assert all(objects[part["obj_ann_id"]]["image_id"] == part["image_id"] for part in parts)
    assert all(part["category_id"] >= 2000 for part in parts)
    masks = [row["segmentation"] for row in rows]
    assert [] in masks
    assert all(RUNS.fullmatch(mask["counts"]) for mask in masks if mask)
    listed = files["train"]
    assert [row["id"] for row in listed["attributes"]] == list(range(59))
    kinds = listed["attr_type_to_attr_idxs"]
    assert [len(kinds[k]) for k in ("color", "pattern_marking", "material", "transparency")] == [
        30, 11, 14, 4,
    ]  # fmt: skip
    for row in rows:
        assert row["unknown_color"] == (not set(row["attribute_ids"]) & set(kinds["color"]))
    regions = [r for s in truths["paco_lvis"].samples for r in s.regions]
    assert len(regions) == len(rows)
    assert {r.parent is None for r in regions} == {True, False}
    first = {s.regions[0].parent is None for s in truths["paco_lvis"].samples}
    assert first == {True, False}


def test_pascal_parts_end_at_their_last_pixel(drawn):
    root, truths = drawn
    file = read_json(root / "Semantic_Segm/pascal_part/train.json")
    assert set(file) == {"categories", "images", "annotations"}
    assert [row["id"] for row in file["annotations"]] == list(range(len(file["annotations"])))
    assert any("abbr" in row for row in file["categories"])
    for row in file["annotations"]:
        rows, columns = np.nonzero(coco_mask.decode(row["segmentation"]))
        assert row["bbox"] == [
            columns.min(), rows.min(), np.ptp(columns), np.ptp(rows),
        ]  # fmt: skip
        assert row["area"] == row["bbox"][2] * row["bbox"][3]
    assert any(row["area"] == 0 for row in file["annotations"])
    for row in file["images"]:
        assert row["file_name"] == f"2008_{row['id'] - 2008_000_000:06d}.jpg"
    ids = {f"{row['id']:012d}" for row in file["images"]}
    assert ids == {sample.id for sample in truths["pascal_part"].samples}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("refcoco", "refcoco/refs(unc).p"),
        ("refcoco_plus", "refcoco+/refs(unc).p"),
        ("refcocog", "refcocog/refs(umd).p"),
        ("refclef", "refclef/refs(unc).p"),
    ],
)
def test_refs_say_what_truth_says_of_the_annotations_they_name(source, place, drawn):
    root, truths = drawn
    path = root / "Refer_Segm" / place
    refs = pickle.loads(path.read_bytes())
    rows = {row["id"]: row for row in read_json(path.parent / "instances.json")["annotations"]}
    said: dict[str, list[tuple[str, ...]]] = {}
    for ref in refs:
        assert rows[ref["ann_id"]]["image_id"] == ref["image_id"]
        assert rows[ref["ann_id"]]["category_id"] == ref["category_id"]
        assert [s["sent_id"] for s in ref["sentences"]] == ref["sent_ids"]
        words = tuple(sentence["sent"] for sentence in ref["sentences"])
        said.setdefault(f"{ref['image_id']:012d}", []).append(words)
    samples = truths[source].samples
    assert said == {s.id: [region.phrases for region in s.regions] for s in samples}
    assert len({ref["ref_id"] for ref in refs}) == len(refs)
    assert len(rows) > len(refs)


def test_refclef_names_its_annotations_and_its_masks_are_of_parts_that_overlap(drawn):
    root, _ = drawn
    folder = root / "Refer_Segm/refclef"
    refs = pickle.loads((folder / "refs(unc).p").read_bytes())
    assert all("file_name" not in ref and type(ref["ann_id"]) is str for ref in refs)
    file = read_json(folder / "instances.json")
    overlap = False
    for row in file["annotations"]:
        assert row["id"].startswith(f"{row['image_id']}_")
        assert type(row["area"]) is int
        total = sum(coco_mask.decode(part).astype(int) for part in row["segmentation"])
        assert np.count_nonzero(total) == row["area"]
        overlap |= bool((total > 1).any())
    assert overlap
    for row in file["images"]:
        assert re.fullmatch(rf"\d\d/images/{row['id']}\.jpg", row["file_name"])
        assert (root / "Refer_Segm/images/saiapr_tc-12" / row["file_name"]).is_file()
