"""Upstream's annotations of the miniature, read by independent code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.oracle.test_plain_readers import LABELS, REFS, Plain, decode
from tests.oracle.test_plain_readers_of_words import SPLITS


class NamedObject(NamedTuple):
    """An object of a photo by one of its names.

    Attributes:
        span: (number of the caption, start, stop), if a caption mentions it.
        mask: bool, of upstream's size.
        box: x0, y0, x1, y1 as fractions of the photo's width and height.
    """

    name: str
    span: tuple[int, int, int] | None = None
    mask: Any = None
    box: Any = None


class PhotoAnnotations(NamedTuple):
    """Upstream's annotations of a photo, in the order in which the sample index counts them."""

    objects: list[NamedObject] = []  # noqa: RUF012 - never changed
    captions: list[str] = []  # noqa: RUF012 - never changed
    conversations: list[list[tuple[str, str]]] = []  # noqa: RUF012 - never changed


def read_published(source: str) -> Callable[[Path], dict[str, PhotoAnnotations]]:
    read, path = SPLITS[source, "train"]

    def annotations(root):
        return {Path(p.file).stem: of_photo(p) for p in read(root, root / path)}

    return annotations


def of_photo(photo):
    sides = [photo.size.width, photo.size.height] * 2
    objects = []
    for region, corners, mask in photo.things:
        box = None if corners is None else np.clip(corners, 0, sides) / sides
        spans: list[Any] = [(s.caption, s.start, s.stop) for s in region.spans]
        spans = spans or [None] * len(region.phrases)
        for phrase, span in zip(region.phrases, spans, strict=True):
            objects.append(NamedObject(phrase, span, mask, box))
    return PhotoAnnotations(objects, photo.captions)


def read_grounded(name):
    def annotations(root):
        photos: dict[str, PhotoAnnotations] = {}
        rows = json.loads((root / f"GranDf/annotations/train/{name}_train.json").read_text())
        for row in rows:
            stem = Path(row["file_name"]).stem
            photo = photos.setdefault(stem, PhotoAnnotations([], []))
            photo.captions.append(row["caption"].strip('"').strip())
            for phrase, grounding in row["groundings"].items():
                span = grounding and (len(photo.captions) - 1, *grounding["token_positives"])
                mask = grounding and decode(grounding["rle_masks"], row["height"], row["width"])
                photo.objects.append(NamedObject(phrase, span, mask))
        return photos

    return annotations


def read_labels(source):
    pattern, class_ids = LABELS[source]

    def annotations(root):
        classes = json.loads((Path("configs/classes") / f"{source}.json").read_text())["classes"]
        photos = {}
        for path in sorted(root.glob(f"{pattern}/*.png")):
            values = class_ids(np.asarray(Image.open(path)).astype(int))
            objects = [
                NamedObject(row["name"].lower(), None, values == row["id"])
                for row in classes
                if not (source == "coco_stuff" and "-" in row["name"])
            ]
            photos[path.stem] = PhotoAnnotations(objects)
        return photos

    return annotations


def read_parts(path):
    def annotations(root):
        file = json.loads((root / path).read_text())
        names = {row["id"]: row["name"] for row in file["categories"]}
        sizes = {row["id"]: (row["height"], row["width"]) for row in file["images"]}
        photos: dict[str, PhotoAnnotations] = {
            f"{number:012d}": PhotoAnnotations([]) for number in sizes
        }
        for row in file["annotations"]:
            parts = row["segmentation"]
            mask = decode(parts, *sizes[row["image_id"]]) if parts else None
            photos[f"{row['image_id']:012d}"].objects.append(
                NamedObject(names[row["category_id"]], None, mask)
            )
        return photos

    return annotations


def read_refs(source):
    folder, split_by = REFS[source]

    def annotations(root):
        base = root / "Refer_Segm" / folder
        with (base / f"refs({split_by}).p").open("rb") as stream:
            refs = Plain(stream).load()
        file = json.loads((base / "instances.json").read_text())
        sizes = {row["id"]: (row["height"], row["width"]) for row in file["images"]}
        parts = {row["id"]: row["segmentation"] for row in file["annotations"]}
        grouped: dict[str, dict[Any, list[Any]]] = {}
        for ref in refs:
            photo = grouped.setdefault(f"{ref['image_id']:012d}", {})
            photo.setdefault(ref["ann_id"], []).append(ref)
        photos = {}
        for stem, by_annotation in grouped.items():
            objects = []
            for ann_id, own in by_annotation.items():
                size = sizes[own[0]["image_id"]]
                mask = decode(parts[ann_id], *size) if parts[ann_id] else None
                objects += [
                    NamedObject(s["sent"], None, mask) for ref in own for s in ref["sentences"]
                ]
            photos[stem] = PhotoAnnotations(objects)
        return photos

    return annotations


def read_captions(root):
    file = json.loads((root / "coco_2017/annotations/captions_train2017.json").read_text())
    rows = file["annotations"]
    return {
        f"{i['id']:012d}": PhotoAnnotations(
            [], [r["caption"] for r in rows if r["image_id"] == i["id"]]
        )
        for i in file["images"]
    }


def read_conversations(root):
    photos: dict[str, PhotoAnnotations] = {}
    for row in json.loads((root / "llava_dataset/llava_instruct_150k.json").read_text()):
        turns = [(turn["from"], turn["value"]) for turn in row["conversations"]]
        photo = photos.setdefault(Path(row["image"]).stem, PhotoAnnotations([], [], []))
        photo.conversations.append(turns)
    return photos


READERS = {
    "grandf_ha": read_grounded("GranDf_HA_GCG"),
    "openpsg_gcg": read_grounded("OpenPsgGCG"),
    **{source: read_labels(source) for source in LABELS},
    "paco_lvis": read_parts("Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json"),
    "pascal_part": read_parts("Semantic_Segm/pascal_part/train.json"),
    **{source: read_refs(source) for source in REFS},
    **{source: read_published(source) for source, split in SPLITS if split == "train"},
    "coco_captions": read_captions,
    "llava_instruct": read_conversations,
}
