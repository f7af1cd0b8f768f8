"""The rows of upstream's files that GLaMM's dataset classes hold in memory when training starts.

Training splits of all 22 sources, restated from mbzuai-oryx/groundingLMM, `dataset/*`. Rows that
its classes skip or fail on are left out. GranD's rows are parsed here, once, and not for every
photo, which favours the reference.
"""

import json
import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lmdb

ItemKind = Literal["grounded", "named", "labels", "boxes", "caption", "conversation"]


@dataclass(slots=True)
class ReferenceItem:
    """What a dataset class of the reference loads for one index.

    Attributes:
        texts: the caption, the names of the objects, or the turns.
        spans: [start, stop) of each mask's phrase in the caption.
        masks: of each object, in COCO's format: polygons, or run lengths of its parts.
        boxes: of each object; x0, y0, x1, y1 in pixels.
        size: height and width of the photo, where masks are polygons.
        labels: file of the label map.
    """

    path: Path
    kind: ItemKind
    texts: list[str]
    spans: Sequence[Sequence[int]] = field(default_factory=list)
    masks: list[Any] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    labels: Path | None = None


def list_items(root: Path, source: str) -> list[ReferenceItem]:
    """The items of a source's training split."""
    return list(LISTINGS[source](root))


def _grounded(root: Path, file: str, photos: str) -> Iterator[ReferenceItem]:
    for row in json.loads((root / f"GranDf/annotations/train/{file}").read_text()):
        groundings = [each for each in row["groundings"].values() if each]
        spans = [each["token_positives"] for each in groundings]
        if spans:
            path = root / photos / row["file_name"]
            caption = row["caption"].strip('"').strip()
            yield ReferenceItem(
                path, "grounded", [caption], spans, [each["rle_masks"] for each in groundings]
            )


def _grounded_refs(root: Path) -> Iterator[ReferenceItem]:
    file = root / "GranDf/annotations/train/RefCOCOg_GCG_train.json"
    for wrapped in json.loads(file.read_text()):
        row = next(iter(wrapped.values()))
        caption = row["caption"].strip('"').strip().lower()
        refs = [ref for ref in row["refs"] if ref["sentence"] in caption]
        starts = [caption.find(ref["sentence"]) for ref in refs]
        spans = [(n, n + len(ref["sentence"])) for n, ref in zip(starts, refs, strict=True)]
        if spans:
            path = root / "coco_2014/train2014" / row["img_file_name"]
            yield ReferenceItem(
                path, "grounded", [caption], spans, [ref["segmentation"] for ref in refs]
            )


def _rows(file: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """(row of a photo, rows of its annotations)."""
    content = json.loads(file.read_text())
    by_image = defaultdict(list)
    for row in content["annotations"]:
        by_image[row["image_id"]].append(row)
    for image in content["images"]:
        yield image, [row for row in by_image[image["id"]] if not row.get("ignore")]


def _boxes_of(rows: Sequence[dict[str, Any]]) -> list[list[float]]:
    return [[x, y, x + width, y + height] for x, y, width, height in (r["bbox"] for r in rows)]


def _sentences(root: Path, file: str, *, masks: bool) -> Iterator[ReferenceItem]:
    for image, rows in _rows(root / file):
        caption, path = image["caption"], root / "flikcr_30k/train" / image["file_name"]
        if not rows:
            continue
        if masks:
            spans = [row["tokens_positive"][0] for row in rows]
            parts = [[row["sam_mask"]] for row in rows]
            yield ReferenceItem(path, "grounded", [caption], spans, parts)
            continue
        first = (row["tokens_positive"][0] for row in rows)
        texts = [caption[start:stop] for start, stop in first]
        yield ReferenceItem(path, "boxes", texts, boxes=_boxes_of(rows))


def _labels(root: Path, photos: str, labels: str) -> Iterator[ReferenceItem]:
    for path in sorted((root / labels).glob("*.png")):
        yield ReferenceItem(root / photos / f"{path.stem}.jpg", "labels", [], labels=path)


def _objects(root: Path, file: str, photos: str) -> Iterator[ReferenceItem]:
    names = {row["id"]: row["name"] for row in json.loads((root / file).read_text())["categories"]}
    for image, rows in _rows(root / file):
        masked = [row for row in rows if row["segmentation"]]
        texts = [names[row["category_id"]] for row in masked]
        masks = [row["segmentation"] for row in masked]
        size = image["height"], image["width"]
        if masked:
            yield ReferenceItem(
                root / photos / image["file_name"], "named", texts, masks=masks, size=size
            )


def _referring(root: Path, name: str, by: str, photos: str) -> Iterator[ReferenceItem]:
    folder = root / "Refer_Segm" / name
    with (folder / f"refs({by}).p").open("rb") as stream:
        refs = pickle.load(stream, encoding="latin1")  # noqa: S301 - the benchmark drew the file itself
    expressions: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for ref in refs:
        if ref["split"] == "train":
            expressions[ref["image_id"]] += [
                (each["sent"], ref["ann_id"]) for each in ref["sentences"]
            ]
    for image, rows in _rows(folder / "instances.json"):
        parts = {row["id"]: row["segmentation"] for row in rows}
        pairs = [(text, parts[n]) for text, n in expressions[image["id"]] if parts.get(n)]
        size = image["height"], image["width"]
        if pairs:
            texts, masks = map(list, zip(*pairs, strict=True))
            path = root / photos / image["file_name"]
            yield ReferenceItem(path, "named", texts, masks=masks, size=size)


def _regions(root: Path, file: str, photos: str) -> Iterator[ReferenceItem]:
    for image, rows in _rows(root / file):
        texts = [row.get("caption") or image["caption"] for row in rows]
        if rows:
            path = root / photos / image["file_name"]
            yield ReferenceItem(path, "boxes", texts, boxes=_boxes_of(rows))


def _captions(root: Path) -> Iterator[ReferenceItem]:
    for image, rows in _rows(root / "coco_2017/annotations/captions_train2017.json"):
        for row in rows:
            path = root / "coco_2017/train2017" / image["file_name"]
            yield ReferenceItem(path, "caption", [row["caption"].strip()])


def _conversations(root: Path) -> Iterator[ReferenceItem]:
    for row in json.loads((root / "llava_dataset/llava_instruct_150k.json").read_text()):
        texts = [turn["value"] for turn in row["conversations"]]
        yield ReferenceItem(root / "coco_2017/train2017" / row["image"], "conversation", texts)


def _grand(root: Path, name: str) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    base = root / "GranD_Data" / name
    keys = (base / f"{name}_Train.txt").read_text().split()
    with (
        lmdb.open(str(base), readonly=True, lock=False) as database,
        database.begin() as transaction,
    ):
        for key in keys:
            yield (
                root / "GranD_Data/images" / key,
                json.loads(transaction.get(key.encode()) or b"")[key],
            )


def _grand_captions(root: Path) -> Iterator[ReferenceItem]:
    for path, rows in _grand(root, "Grand_Caption_Grounding_lmdb"):
        if rows:
            yield ReferenceItem(path, "caption", [row["caption"] for row in rows])


def _grand_expressions(root: Path) -> Iterator[ReferenceItem]:
    for path, rows in _grand(root, "Grand_Referring_Expression_lmdb"):
        named = [row for row in rows if row["attribute"] and row["segmentation"]]
        texts = [n if isinstance(n, str) else n[0] for n in (row["attribute"] for row in named)]
        if named:
            yield ReferenceItem(
                path, "named", texts, masks=[[row["segmentation"]] for row in named]
            )


_COCO14, _COCO17, _SEMANTIC = "coco_2014/train2014", "coco_2017/train2017", "Semantic_Segm"
_MDETR, _VOC = "RefCoco_Reg/mdetr_annotations", "pascal_part/VOCdevkit/VOC2010/JPEGImages"
LISTINGS: dict[str, Callable[[Path], Iterator[ReferenceItem]]] = {
    "grandf_ha": partial(
        _grounded, file="GranDf_HA_GCG_train.json", photos="GranDf_HA_images/train"
    ),
    "openpsg_gcg": partial(_grounded, file="OpenPsgGCG_train.json", photos="coco_2017"),
    "refcocog_gcg": _grounded_refs,
    "flickr_gcg": partial(
        _sentences, file="GranDf/annotations/train/flickr_mergedGT_GCG_train.json", masks=True
    ),
    "ade20k": partial(
        _labels,
        photos=f"{_SEMANTIC}/ade20k/images/training",
        labels=f"{_SEMANTIC}/ade20k/annotations/training",
    ),
    "coco_stuff": partial(_labels, photos=_COCO17, labels=f"{_SEMANTIC}/coco_stuff/train2017"),
    "mapillary": partial(
        _labels,
        photos=f"{_SEMANTIC}/mapillary/training/images",
        labels=f"{_SEMANTIC}/mapillary/training/v2.0/labels",
    ),
    "paco_lvis": partial(
        _objects,
        file=f"{_SEMANTIC}/paco_lvis/annotations/paco_lvis_v1_train.json",
        photos="coco_2017",
    ),
    "pascal_part": partial(
        _objects, file=f"{_SEMANTIC}/pascal_part/train.json", photos=f"{_SEMANTIC}/{_VOC}"
    ),
    "refcoco": partial(_referring, name="refcoco", by="unc", photos=_COCO14),
    "refcoco_plus": partial(_referring, name="refcoco+", by="unc", photos=_COCO14),
    "refcocog": partial(_referring, name="refcocog", by="umd", photos=_COCO14),
    "refclef": partial(
        _referring, name="refclef", by="unc", photos="Refer_Segm/images/saiapr_tc-12"
    ),
    "refcoco_region": partial(
        _regions, file=f"{_MDETR}/finetune_refcoco_train.json", photos=_COCO14
    ),
    "refcoco_plus_region": partial(
        _regions, file=f"{_MDETR}/finetune_refcoco+_train.json", photos=_COCO14
    ),
    "refcocog_region": partial(
        _regions, file=f"{_MDETR}/finetune_refcocog_train.json", photos=_COCO14
    ),
    "visual_genome": partial(
        _regions, file="visual_genome/train.json", photos="visual_genome/images"
    ),
    "flickr30k": partial(
        _sentences, file=f"{_MDETR}/final_flickr_mergedGT_train.json", masks=False
    ),
    "coco_captions": _captions,
    "grand_caption": _grand_captions,
    "llava_instruct": _conversations,
    "grand_referring": _grand_expressions,
}
