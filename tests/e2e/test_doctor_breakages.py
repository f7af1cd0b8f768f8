"""Many breakages at once: each is reported, and the suggested repairs make all ready again."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convert.doctor.__main__ import doctor

TRAIN = "GranDf/annotations/train"
PACO = "Semantic_Segm/paco_lvis"
PASCAL = "Semantic_Segm/pascal_part"
MAPILLARY = "Semantic_Segm/mapillary"
ADE = "Semantic_Segm/ade20k/annotations/training"
STUFF = "Semantic_Segm/coco_stuff/train2017"
MDETR = "RefCoco_Reg/mdetr_annotations"
CAPTIONS = "GranD_Data/Grand_Caption_Grounding_lmdb"
EXPRESSIONS = "GranD_Data/Grand_Referring_Expression_lmdb"
SAIAPR = "Refer_Segm/images/saiapr_tc-12"
PAGE = "<!DOCTYPE html>\n<html><body>AuthenticationFailed</body></html>\n"


@dataclass(frozen=True)
class Breakage:
    """A change of the data, and the expected advice; `again` names the files to download again."""

    source: str
    does: Callable[[Path], object]
    text: str
    remedy: str
    again: tuple[str, ...] = ()


def move(here: str, there: str):
    return lambda root: (root / here).rename(root / there)


def write(place: str, text: str):
    return lambda root: (root / place).write_text(text)


def cut(place: str, share: float = 0.5):
    def do(root):
        os.truncate(root / place, int((root / place).stat().st_size * share))

    return do


def remove(place: str, pattern: str, count: int | None = None):
    def do(root):
        for path in sorted((root / place).glob(pattern))[:count]:
            path.unlink()

    return do


def nest(folder: str):
    def do(root):
        (root / folder).rename(root / "aside")
        (root / folder).mkdir()
        (root / "aside").rename(root / folder / Path(folder).name)

    return do


def pack(folder: str):
    """Pack a folder into an archive, and leave an empty folder."""

    def do(root):
        with zipfile.ZipFile(root / f"{folder}.zip", "w") as archive:
            for path in sorted((root / folder).iterdir()):
                archive.write(path, f"{Path(folder).name}/{path.name}")
        shutil.rmtree(root / folder)
        (root / folder).mkdir()

    return do


def lose_target(root):
    """The disk of the link's target is renamed."""
    (root / "disk").mkdir()
    (root / PACO).rename(root / "disk/paco")
    (root / PACO).symlink_to("../disk/paco")
    (root / "disk").rename(root / "Ana's disk")


def swap(root):
    (root / PASCAL).rename(root / "aside")
    (root / MAPILLARY).rename(root / PASCAL)
    (root / "aside").rename(root / MAPILLARY)


def empty(root):
    shutil.rmtree(root / STUFF)
    (root / STUFF).mkdir()


def use_full_ade(root):
    """The full edition: 16 bits a pixel, with numbers of thousands of classes."""
    for path in (root / ADE).glob("*.png"):
        with Image.open(path) as image:
            Image.fromarray(np.asarray(image).astype(np.uint16) * 300).save(path)


BREAKAGES = {
    "a renamed folder of annotations": Breakage(
        "coco_captions",
        move("coco_2017/annotations", "coco_2017/captions"),
        "no annotations of train: coco_2017/annotations/captions_train2017.json is not there; "
        "coco_2017/captions/captions_train2017.json looks like it",
        "mkdir -p coco_2017/annotations && ln -sr coco_2017/captions/captions_train2017.json ",
    ),
    "a renamed folder of photos": Breakage(
        "flickr30k",
        move("flikcr_30k/train", "flikcr_30k/my pictures"),
        "no photos of train: flikcr_30k/train is not there, nor at 6 other paths; "
        "flikcr_30k/my pictures looks like it",
        "mkdir -p flikcr_30k && ln -sr 'flikcr_30k/my pictures' flikcr_30k/train",
    ),
    "photos one folder too deep": Breakage(
        "refcoco",
        nest("coco_2014/train2014"),
        "8 of 8 photos are not there: ",
        "find coco_2014/train2014/train2014/ -mindepth 1 -maxdepth 1 "
        "-exec ln -srt coco_2014/train2014 {} +",
    ),
    "an archive that was not unpacked": Breakage(
        "llava_instruct",
        pack("coco_2017/train2017"),
        "8 of 8 photos of train are not there: ",
        "mkdir -p coco_2017 && unzip -nq coco_2017/train2017.zip -d coco_2017",
    ),
    "a file cut short": Breakage(
        "grandf_ha",
        cut(f"{TRAIN}/GranDf_HA_GCG_train.json"),
        f"{TRAIN}/GranDf_HA_GCG_train.json is cut short",
        "get it: https://huggingface.co/datasets/MBZUAI/GranD-f (annotations)",
        (f"{TRAIN}/GranDf_HA_GCG_train.json",),
    ),
    "the file of another source": Breakage(
        "refcoco_region",
        lambda root: shutil.copy(
            root / "visual_genome/test_caption.json", root / MDETR / "finetune_refcoco_train.json"
        ),
        "; they are in visual_genome/images, so the annotations are those of another source",
        "get it: https://drive.google.com/file/d/1gvH5ToNtmIr3qz7C9lNi_fDmElwAANsI/view",
        (f"{MDETR}/finetune_refcoco_train.json",),
    ),
    "another edition of a file": Breakage(
        "refcoco_plus_region",
        lambda root: shutil.copy(
            root / "Refer_Segm/refcoco/instances.json",
            root / MDETR / "finetune_refcoco+_train.json",
        ),
        "every text of train is empty; are its annotations of another edition?",
        "get it: https://drive.google.com/file/d/1gvH5ToNtmIr3qz7C9lNi_fDmElwAANsI/view",
        (f"{MDETR}/finetune_refcoco+_train.json",),
    ),
    "a list without rows": Breakage(
        "openpsg_gcg",
        write(f"{TRAIN}/OpenPsgGCG_val.json", "[]"),
        f"no photos of val in {TRAIN}/OpenPsgGCG_val.json; is it of another edition?",
        "get it: https://huggingface.co/datasets/MBZUAI/GranD-f (annotations)",
        (f"{TRAIN}/OpenPsgGCG_val.json",),
    ),
    "a web page for a file": Breakage(
        "visual_genome",
        write("visual_genome/train.json", PAGE),
        "visual_genome/train.json is a web page: ",
        "get it: https://datarelease.blob.core.windows.net/grit/",
        ("visual_genome/train.json",),
    ),
    "a pointer for a file": Breakage(
        "flickr_gcg",
        write(f"{TRAIN}/flickr_mergedGT_GCG_train.json", "version https://git-lfs.github.com\n"),
        f"{TRAIN}/flickr_mergedGT_GCG_train.json is a pointer of Git LFS: ",
        "get it: https://huggingface.co/datasets/MBZUAI/GranD-f (annotations)",
        (f"{TRAIN}/flickr_mergedGT_GCG_train.json",),
    ),
    "an empty file": Breakage(
        "refcocog_region",
        write(f"{MDETR}/finetune_refcocog_val.json", ""),
        f"no annotations of val: {MDETR}/finetune_refcocog_val.json is empty",
        "get it: https://drive.google.com/file/d/1gvH5ToNtmIr3qz7C9lNi_fDmElwAANsI/view",
        (f"{MDETR}/finetune_refcocog_val.json",),
    ),
    "some photos missing": Breakage(
        "refclef",
        remove(SAIAPR, "**/*.jpg", 2),
        f"2 of 8 photos are not there: {SAIAPR}/",
        "get it: https://web.archive.org/web/20220515000000/",
        (SAIAPR,),
    ),
    "label maps of another edition": Breakage(
        "ade20k",
        use_full_ade,
        "label maps checked are wrong: ",
        "get it: http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
        (ADE,),
    ),
    "a link to what was renamed": Breakage(
        "paco_lvis",
        lose_target,
        f"{PACO} is a link to ../disk/paco, which is not there",
        f"ln -srfT 'Ana'\\''s disk/paco' {PACO}",
    ),
    "refs of another split": Breakage(
        "refcoco_plus",
        remove("Refer_Segm/refcoco+", "refs(unc).p"),
        "no refs: Refer_Segm/refcoco+/refs(unc).p is not there; refs(google).p beside it is "
        "something else",
        "get it: https://web.archive.org/web/20220413011656/",
        ("Refer_Segm/refcoco+/refs(unc).p",),
    ),
    "refs of another split under its name": Breakage(
        "refcocog",
        lambda root: shutil.copy(
            root / "Refer_Segm/refcocog/refs(google).p", root / "Refer_Segm/refcocog/refs(umd).p"
        ),
        "no photos of test in Refer_Segm/refcocog/refs(umd).p, ",
        "get it: https://web.archive.org/web/20220413012904/",
        ("Refer_Segm/refcocog/refs(umd).p",),
    ),
    "a database without its file": Breakage(
        "grand_caption",
        remove(CAPTIONS, "data.mdb"),
        f"{CAPTIONS} has no data.mdb in it",
        "get it: https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/GranD.md",
        (f"{CAPTIONS}/data.mdb",),
    ),
    "a database cut short": Breakage(
        "grand_referring",
        cut(f"{EXPRESSIONS}/data.mdb", 0.3),
        f"{EXPRESSIONS} is cut short: ",
        "get it: https://github.com/mbzuai-oryx/groundingLMM/blob/main/docs/GranD.md",
        (f"{EXPRESSIONS}/data.mdb",),
    ),
    "a folder with nothing in it": Breakage(
        "coco_stuff",
        empty,
        f"no label maps of train: {STUFF} is empty",
        "get it: http://calvin.inf.ed.ac.uk/",
        (STUFF,),
    ),
    "one of two swapped downloads": Breakage(
        "mapillary",
        swap,
        f"no photos of train: {MAPILLARY}/training/images is not there, nor at 1 other path; "
        f"{PASCAL}/training/images looks like it (use version 2.0",
        f"mkdir -p {MAPILLARY}/training && ln -sr {PASCAL}/training/images ",
    ),
    "the other of them": Breakage(
        "pascal_part",
        lambda _: None,
        f"{MAPILLARY}/train.json looks like it (the guide swaps the addresses",
        f"mkdir -p {PASCAL} && ln -sr {MAPILLARY}/train.json {PASCAL}/train.json",
    ),
}


def diagnose(root, capsys, *sources):
    """Diagnosis by source."""
    capsys.readouterr()
    doctor(root=root, json=True, source=list(sources) or None)
    return {row["source"]: row for row in json.loads(capsys.readouterr().out)}


def stamp(root):
    """The time of the last change of every file, folder and link."""
    return {str(path): path.lstat().st_ctime_ns for path in sorted([root, *root.rglob("*")])}


def states(found):
    return {name: row["state"] for name, row in found.items()}


def problems(row):
    return [finding for finding in row["findings"] if finding["problem"]]


def restore(pristine, root, place):
    """Download a file or folder again."""
    if (pristine / place).is_dir():
        shutil.copytree(pristine / place, root / place, dirs_exist_ok=True)
    else:
        shutil.copy(pristine / place, root / place)


def type_in(root, remedy):
    return subprocess.run(
        ["bash", "-c", remedy], cwd=root, check=False, capture_output=True, text=True
    )


@pytest.fixture
def copy(miniature, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(miniature.root, root)
    return root


def test_many_breakages_are_reported_and_repaired(miniature, copy, capsys):
    for breakage in BREAKAGES.values():
        breakage.does(copy)
    before = stamp(copy)
    found = diagnose(copy, capsys)
    assert stamp(copy) == before
    assert set(states(found).values()) <= {"incomplete", "absent"}
    for name, breakage in BREAKAGES.items():
        reported = problems(found[breakage.source])
        assert [
            f
            for f in reported
            if breakage.text in f["text"] and f["remedy"].startswith(breakage.remedy)
        ], (name, reported)
    assert "photos" not in found["refcoco"]["paths"]
    assert "label maps of train" not in found["coco_stuff"]["paths"]
    remedies = {f["remedy"] for row in found.values() for f in row["findings"] if f["remedy"]}
    for remedy in sorted(r for r in remedies if not r.startswith("get it: http")):
        done = type_in(copy, remedy)
        assert done.returncode == 0, (remedy, done.stderr)
    for breakage in BREAKAGES.values():
        for place in breakage.again:
            restore(miniature.root, copy, place)
    found = diagnose(copy, capsys)
    assert states(found) == dict.fromkeys(found, "ready"), [problems(r) for r in found.values()]
    assert len(found) == 22


def only(found, source):
    ((finding,), state) = problems(found[source]), found[source]["state"]
    assert state == "incomplete"
    return finding


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tgz"])
def test_a_tar_that_was_not_unpacked(copy, capsys, suffix):
    voc = copy / PASCAL / "VOCdevkit"
    archive = copy / f"downloads of May/voc.{suffix}"
    archive.parent.mkdir()
    subprocess.run(["tar", "-caf", archive, "-C", voc.parent, voc.name], check=True)
    shutil.rmtree(voc)
    finding = only(diagnose(copy, capsys, "pascal_part"), "pascal_part")
    assert "; its archive is not unpacked" in finding["text"]
    assert type_in(copy, finding["remedy"]).returncode == 0
    assert states(diagnose(copy, capsys, "pascal_part")) == {"pascal_part": "ready"}


def test_an_archive_cut_short(copy, capsys):
    pack("coco_2017/train2017")(copy)
    cut("coco_2017/train2017.zip")(copy)
    finding = only(diagnose(copy, capsys, "llava_instruct"), "llava_instruct")
    assert "; coco_2017/train2017.zip is cut short, or no archive" in finding["text"]
    assert finding["remedy"] == "get it: http://images.cocodataset.org/zips/train2017.zip (photos)"


@pytest.mark.parametrize(("source", "folder"), [("ade20k", ADE), ("coco_stuff", STUFF)])
def test_label_maps_one_folder_too_deep(copy, capsys, source, folder):
    nest(folder)(copy)
    found = diagnose(copy, capsys, source)
    assert type_in(copy, only(found, source)["remedy"]).returncode == 0
    assert states(diagnose(copy, capsys, source)) == {source: "ready"}


def test_a_database_one_folder_too_deep(copy, capsys):
    nest(CAPTIONS)(copy)
    finding = only(diagnose(copy, capsys, "grand_caption"), "grand_caption")
    assert type_in(copy, finding["remedy"]).returncode == 0
    assert states(diagnose(copy, capsys, "grand_caption")) == {"grand_caption": "ready"}


def test_a_link_on_another_disk_is_repaired(copy, capsys):
    # The command must not depend on the real location of the link's folder.
    (copy.parent / "disk/of/others").mkdir(parents=True)
    (copy / "flikcr_30k").rename(copy.parent / "disk/of/others/flickr")
    (copy / "flikcr_30k").symlink_to(copy.parent / "disk/of/others/flickr")
    (copy / "flikcr_30k/train").rename(copy / "it's here")
    finding = only(diagnose(copy, capsys, "flickr30k"), "flickr30k")
    assert type_in(copy, finding["remedy"]).returncode == 0
    assert states(diagnose(copy, capsys, "flickr30k")) == {"flickr30k": "ready"}


def test_an_empty_folder_that_hides_a_full_one(copy, capsys):
    (copy / "ade20k/annotations").mkdir(parents=True)
    (copy / ADE).rename(copy / "ade20k/annotations/training")
    (copy / ADE).mkdir()
    finding = only(diagnose(copy, capsys, "ade20k"), "ade20k")
    assert finding["remedy"] == f"rmdir {ADE}"
    assert type_in(copy, finding["remedy"]).returncode == 0
    assert states(diagnose(copy, capsys, "ade20k")) == {"ade20k": "ready"}


def test_photos_that_are_links_to_nothing(copy, capsys):
    for path in (copy / "coco_2017/train2017").glob("*.jpg"):
        path.unlink()
        path.symlink_to("/nowhere.jpg")
    finding = only(diagnose(copy, capsys, "llava_instruct"), "llava_instruct")
    assert finding["text"].startswith("8 of 8 photos of train are not there: ")


@pytest.mark.parametrize("locked", ["visual_genome", "visual_genome/images"])
def test_a_folder_that_may_not_be_read(copy, capsys, locked):
    (copy / locked).chmod(0)
    if os.access(copy / locked, os.R_OK):
        pytest.skip("root may read everything")
    found = diagnose(copy, capsys, "visual_genome")
    assert {f["remedy"] for f in problems(found["visual_genome"])} == {f"chmod -R u+rX {locked}"}
    assert type_in(copy, f"chmod -R u+rX {locked}").returncode == 0
    assert states(diagnose(copy, capsys, "visual_genome")) == {"visual_genome": "ready"}


def test_other_classes_of_mapillary(copy, capsys):
    path = copy / MAPILLARY / "config_v2.0.json"
    config = json.loads(path.read_text())
    config["labels"][3]["readable"] = "Dragon"
    path.write_text(json.dumps(config))
    text = only(diagnose(copy, capsys, "mapillary"), "mapillary")["text"]
    assert f"{MAPILLARY}/config_v2.0.json calls 3 'Dragon', table 'mapillary' calls it '" in text
    path.write_text(json.dumps({"labels": config["labels"][:66]}))
    assert (
        "has 66 labels, table"
        in problems(diagnose(copy, capsys, "mapillary")["mapillary"])[0]["text"]
    )
    path.write_text(PAGE)
    assert (
        "expected Mapillary's list"
        in only(diagnose(copy, capsys, "mapillary"), "mapillary")["text"]
    )


def test_entries_in_no_list_are_reported(copy, capsys):
    path = copy / CAPTIONS / "Grand_Caption_Grounding_lmdb_Train.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[2:]))
    row = diagnose(copy, capsys, "grand_caption")["grand_caption"]
    assert row["state"] == "ready"
    assert [f["text"] for f in row["findings"]] == [
        f"3 entries of {CAPTIONS} are in no list of keys, and left out"
    ]
