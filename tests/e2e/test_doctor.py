"""The doctor reports what is missing or wrong, and its suggested repairs work."""

import json
import shutil
import subprocess

import pytest

from convert.demo import DRAWINGS
from convert.doctor.__main__ import doctor
from convert.run import run
from tests.conftest import REPOSITORY, hash_tree


def diagnose(root, capsys, *sources):
    """(exit status, diagnosis by source)."""
    capsys.readouterr()
    status = doctor(root=root, json=True, source=list(sources) or None)
    rows = json.loads(capsys.readouterr().out)
    return status, {row["source"]: row for row in rows}


@pytest.fixture
def copy(miniature, tmp_path):
    """A copy of the miniature for changes."""
    root = tmp_path / "data"
    shutil.copytree(miniature.root, root)
    return root


def test_the_miniature_is_ready(miniature, capsys):
    before = hash_tree(miniature.root)
    status, found = diagnose(miniature.root, capsys)
    assert {name: row["state"] for name, row in found.items()} == dict.fromkeys(found, "ready")
    assert set(found) == set(DRAWINGS)
    assert status == 0
    assert hash_tree(miniature.root) == before
    for name, row in found.items():
        truth = miniature.truths[name]
        assert sum(row["photos"].values()) == len(truth.samples)


def test_it_reads_like_a_table(miniature, capsys):
    assert doctor(root=miniature.root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "pillow" in lines[0]
    assert lines[-1] == f"{len(DRAWINGS)} of {len(DRAWINGS)} sources are ready"


def test_an_empty_folder(tmp_path, capsys):
    status, found = diagnose(tmp_path, capsys)
    assert status == 1
    assert {row["state"] for row in found.values()} == {"absent"}
    for row in found.values():
        remedies = [finding["remedy"] for finding in row["findings"]]
        assert all(remedy.startswith("get it: http") for remedy in remedies)


def problems(row):
    return [(f["text"], f["remedy"]) for f in row["findings"] if f["problem"]]


def test_a_moved_file_is_found_and_the_suggested_link_repairs_it(copy, capsys):
    (copy / "coco_2017/annotations").rename(copy / "captions of coco")
    status, found = diagnose(copy, capsys, "coco_captions")
    assert status == 1
    (text, remedy), *_ = problems(found["coco_captions"])
    assert text.startswith("no annotations of train: coco_2017/annotations/captions_train2017.json")
    for finding in found["coco_captions"]["findings"]:
        if finding["remedy"].startswith("mkdir"):
            subprocess.run(["bash", "-c", finding["remedy"]], cwd=copy, check=True)
    assert remedy.startswith("mkdir")
    assert diagnose(copy, capsys, "coco_captions")[0] == 0


def test_missing_photos_are_counted_and_named(copy, capsys):
    photos = sorted((copy / "coco_2014/train2014").glob("COCO*_0000000983*.jpg"))
    photos[0].unlink()
    photos[1].unlink()
    status, found = diagnose(copy, capsys, "refcoco")
    assert status == 1
    ((text, remedy),) = problems(found["refcoco"])
    assert text.startswith("2 of 8 photos are not there: coco_2014/train2014/COCO_train2014_")
    assert "train2014.zip" in remedy


def test_the_wrong_edition_of_a_file(copy, capsys):
    (copy / "Refer_Segm/refcoco/instances.json").write_text('{"images": 3}')
    labels = copy / "Semantic_Segm/ade20k/annotations/training"
    for path in labels.glob("*.png"):
        shutil.copy(next((copy / "Semantic_Segm/ade20k/images/training").glob("*.jpg")), path)
    status, found = diagnose(copy, capsys, "refcoco", "ade20k")
    assert status == 1
    assert "instances.json: Expected `array`, got `int`" in problems(found["refcoco"])[0][0]
    assert "label maps checked are wrong" in problems(found["ade20k"])[0][0]


def test_rows_that_cannot_be_used(defective, capsys):
    status, found = diagnose(defective.root, capsys, "refcoco")
    assert status == 1
    texts = [text for text, _ in problems(found["refcoco"])]
    assert any("annotations that cannot be used" in text for text in texts)
    assert any("AnnotationError" in text for text in texts)


MOVED = {
    "Semantic_Segm/coco_stuff": "Semantic_Segm/cocostuff",
    "Semantic_Segm/mapillary": "mapillary",
    "Semantic_Segm/paco_lvis": "paco_lvis",
    "Semantic_Segm/pascal_part": "pascal_part",
    "GranDf_HA_images": "GranDf/GranDf_HA_images",
    "GranDf/annotations/train": "GranDf/train",
    "GranDf/annotations/val_test": "GranDf/val_test",
    "coco_2014": "Refer_Segm/coco_2014",
    "flikcr_30k/train": "flikcr_30k/flickr30k-images",
    "RefCoco_Reg/mdetr_annotations/final_flickr_mergedGT_train.json": (
        "flikcr_30k/mdetr_annotations/final_flickr_mergedGT_train.json"
    ),
}
"""The guide's paths -> paths in the reference code, in archives, and in the guide's own tree."""


def test_other_paths_are_accepted(copy, converted, small_shards, tmp_path, capsys):
    for path, other in MOVED.items():
        (copy / other).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).rename(copy / other)
    # The reference code has the region sources' photos in a folder without train2014.
    (copy / "RefCoco_Reg/coco_2014").symlink_to(copy / "Refer_Segm/coco_2014/train2014")
    status, found = diagnose(copy, capsys)
    assert {name for name, row in found.items() if row["state"] != "ready"} == set()
    assert status == 0
    out = tmp_path / "out"
    assert run(all_=True, workers=0, root=copy, out=out, config=small_shards) == 0
    assert hash_tree(out) == hash_tree(converted)


def test_a_missing_optional_split_is_not_a_problem(copy, capsys):
    shutil.rmtree(copy / "coco_2017/val2017")
    status, found = diagnose(copy, capsys, "coco_captions")
    assert status == 0
    assert found["coco_captions"]["state"] == "ready"
    assert any("val2017 is not there" in f["text"] for f in found["coco_captions"]["findings"])


def test_mistakes(tmp_path, capsys):
    assert doctor(root=tmp_path / "nowhere") == 2
    assert doctor(root=tmp_path, source=["refkoko"]) == 2
    assert "refkoko" in capsys.readouterr().err


def test_the_published_facts_are_of_sources_of_the_config():
    import yaml

    facts = yaml.safe_load((REPOSITORY / "configs/published.yaml").read_text())
    assert set(DRAWINGS) <= set(facts)
    assert "mapillary.com" in facts["mapillary"]["get"]
    assert "VLPart" in facts["pascal_part"]["get"]
