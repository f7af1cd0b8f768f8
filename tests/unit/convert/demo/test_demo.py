"""The files of the miniature: reproducible, in upstream's layout, and as true as `Truth` says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convert import errors
from convert.demo import DRAWINGS, Truth, draw
from convert.demo.scene.photos import choose_split
from convert.demo.scene.raster import rasterise

SPLITS = {
    "ade20k": {"train", "val"},
    "coco_captions": {"train", "val"},
    "grandf_ha": {"train", "val", "test"},
    "refcoco": {"train", "val", "testA", "testB"},
}
SOURCES = sorted(SPLITS)


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def defective(tmp_path_factory) -> tuple[Path, dict[str, Truth]]:
    root = tmp_path_factory.mktemp("defective")
    return root, {name: draw(root, name, images=5, with_defects=True) for name in SOURCES}


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_seed_gives_the_same_bytes_and_the_same_truth(source, tmp_path):
    first = draw(tmp_path / "a", source, images=3, seed=5)
    assert draw(tmp_path / "b", source, images=3, seed=5) == first
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert draw(tmp_path / "c", source, images=3, seed=6) != first


def test_neither_locale_nor_umask_nor_hash_seed_shows_and_source_lists_either_way(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for name in ("refcoco", "coco_captions"):
        draw(here, name, images=2, seed=3)
    done = subprocess.run(
        [sys.executable, "-m", "convert.demo", "--root", there, "--images", "2", "--seed", "3",
         "--source", "refcoco", "--source", "coco_captions"],
        env={**os.environ, "PYTHONHASHSEED": "77", "LC_ALL": "C", "PYTHONUTF8": "0"},
        umask=0o077, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert tree(here) == tree(there)
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "drew refcoco", "drew coco_captions",
    ]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_a_photo_is_the_same_however_many_there_are(source, tmp_path, defective):
    few = draw(tmp_path, source, images=3)
    assert few.samples == tuple(s for s in defective[1][source].samples if s in few.samples)
    assert len(few.samples) == 3
    for sample in few.samples:
        assert (tmp_path / sample.photo).read_bytes() == (defective[0] / sample.photo).read_bytes()


@pytest.mark.parametrize("source", SOURCES)
def test_every_split_gets_a_photo_as_soon_as_there_are_enough(source, tmp_path):
    one = draw(tmp_path / "1", source, images=1)
    enough = draw(tmp_path / "n", source, images=len(SPLITS[source]))
    assert [sample.split for sample in one.samples] == ["train"]
    assert {sample.split for sample in enough.samples} == SPLITS[source]
    names = {name for name in tree(tmp_path / "n") if not name.endswith((".jpg", ".png"))}
    assert names <= set(tree(tmp_path / "1"))


def test_most_photos_are_for_training():
    splits = [choose_split(index, ("train", "val", "testA", "testB")) for index in range(400)]
    assert 0.7 < splits.count("train") / 400 < 0.8


def test_every_file_that_is_not_drawn_is_left_alone(tmp_path):
    other = tmp_path / "coco_2017/train2017/mine.txt"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    draw(tmp_path, "coco_captions", images=1)
    assert other.read_text() == "mine"


@pytest.mark.parametrize("source", SOURCES)
def test_photos_are_as_large_as_truth_says(source, tmp_path):
    for sample in draw(tmp_path, source, images=8).samples:
        with Image.open(tmp_path / sample.photo) as image:
            assert (image.height, image.width) == sample.size
            assert image.mode == "RGB"
        for region in sample.regions:
            assert region.mask is None or region.mask.shape == sample.size


def test_sam_photos_must_be_scaled_down(tmp_path):
    truth = draw(tmp_path, "grandf_ha", images=6)
    assert all(max(sample.size) > 1024 or min(sample.size) == 750 for sample in truth.samples)
    assert sum(max(sample.size) > 1024 for sample in truth.samples) >= 4


def test_all_known_defects_occur(defective):
    rejects = {reject.error for truth in defective[1].values() for reject in truth.rejects}
    assert rejects == {
        "ImageMissingError", "ImageDecodeError", "SizeMismatchError", "MaskDecodeError",
        "LabelMapError", "SpanError", "AnnotationError",
    }  # fmt: skip
    assert all(issubclass(getattr(errors, name), errors.RecordError) for name in rejects)
    ids = [s.id for truth in defective[1].values() for s in (*truth.samples, *truth.rejects)]
    assert len(ids) == len(set(ids))


def test_defects_that_can_be_mended_are_in_the_files(defective):
    root, truths = defective
    seen = set()
    for sample in truths["refcoco"].samples:
        content = (root / sample.photo).read_bytes()
        with Image.open(root / sample.photo) as image:
            turned = image.getexif().get(0x0112) == 6
            height, width = sample.size
            assert image.size == ((height, width) if turned else (width, height))
            seen |= {image.mode, image.format, "turned" if turned else "upright"}
            seen |= {"progressive"} if "progressive" in image.info else set()
        seen |= {"trailing"} if content.endswith(b"\0" * 99) else set()
    assert seen == {
        "L", "RGB", "CMYK", "JPEG", "PNG", "turned", "upright", "progressive", "trailing",
    }  # fmt: skip


def test_label_maps_hold_upstreams_numbers(tmp_path):
    for sample in draw(tmp_path, "ade20k", images=4).samples:
        path = sample.photo.replace("images", "annotations").replace(".jpg", ".png")
        with Image.open(tmp_path / path) as image:
            assert image.mode == "L"
            values = np.asarray(image)
        assert values.max() <= 150
        assert sample.labels is not None
        assert np.array_equal(np.where(values == 0, 255, values.astype(int) - 1), sample.labels)


def test_masks_are_the_polygons_as_written_and_boxes_are_tight(tmp_path):
    truth = draw(tmp_path, "refcoco", images=8)
    instances = json.loads((tmp_path / "Refer_Segm/refcoco/instances.json").read_text())
    sizes = {row["id"]: (row["height"], row["width"]) for row in instances["images"]}
    written = {
        (row["image_id"], rasterise(row["segmentation"], sizes[row["image_id"]]))
        for row in instances["annotations"]
        if not row["iscrowd"]
    }
    regions = [(int(s.id), region) for s in truth.samples for region in s.regions]
    assert {(image_id, region.runs) for image_id, region in regions} < written
    for _, region in regions:
        assert region.mask is not None
        assert region.box is not None
        rows, columns = np.nonzero(region.mask)
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        # Within a pixel, and two where a point is finer than a pixel and so sets none.
        assert np.abs(np.subtract(region.box, seen)).max() <= 2
    polygons = [row["segmentation"] for row in instances["annotations"] if not row["iscrowd"]]
    assert max(map(len, polygons)) > 1
    assert all(number == round(number, 2) for rings in polygons for r in rings for number in r)


def test_crowds_are_uncompressed_run_lengths_over_the_whole_photo(tmp_path):
    draw(tmp_path, "refcoco", images=4)
    instances = json.loads((tmp_path / "Refer_Segm/refcoco/instances.json").read_text())
    crowds = [row for row in instances["annotations"] if row["iscrowd"]]
    assert crowds
    for row in crowds:
        height, width = row["segmentation"]["size"]
        assert sum(row["segmentation"]["counts"]) == height * width
        assert sum(row["segmentation"]["counts"][1::2]) == row["area"]


def test_spans_say_the_phrase_and_some_phrases_overlap(tmp_path):
    truth = draw(tmp_path, "grandf_ha", images=8)
    rows = json.loads((tmp_path / "GranDf/annotations/train/GranDf_HA_GCG_train.json").read_text())
    nested = False
    for sample in truth.samples:
        spans = [span for region in sample.regions for span in region.spans]
        nested |= any(
            a[0] == b[0] and a[1] <= b[1] < b[2] <= a[2] and a != b for a in spans for b in spans
        )
        for region in sample.regions:
            for caption, start, stop in region.spans:
                text = sample.captions[caption][start:stop]
                assert text.casefold() == region.phrases[0].strip().casefold()
    assert nested
    assert any(len(sample.captions) == 2 for sample in truth.samples)
    groundings = [row["groundings"] for row in rows]
    assert any(value is None for row in groundings for value in row.values())
    assert any(len(g["rle_masks"]) > 1 for row in groundings for g in row.values() if g)
    stripped = {row["caption"].strip('"').strip() for row in rows}
    train = {c for s in truth.samples if s.split == "train" for c in s.captions}
    assert stripped == train
    assert any(row["caption"].startswith('"') for row in rows)


def test_captions_are_as_careless_as_the_real_ones(tmp_path):
    truth = draw(tmp_path, "coco_captions", images=8)
    folder = tmp_path / "coco_2017/annotations"
    raw = [
        row["caption"]
        for split in ("train", "val")
        for row in json.loads((folder / f"captions_{split}2017.json").read_text())["annotations"]
    ]
    assert all(5 <= len(sample.captions) <= 7 for sample in truth.samples)
    assert {text.strip() for text in raw} == {c for s in truth.samples for c in s.captions}
    for quirk in ("\n", '"', " ."):
        assert any(quirk in text for text in raw)


def test_every_drawing_is_in_the_registry():
    assert set(DRAWINGS) >= set(SPLITS)
