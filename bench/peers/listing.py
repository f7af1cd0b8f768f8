"""Photos and annotations of seven sources, as a simple script reads them.

Training splits of seven sources with seven layouts. Files are read in the obvious way, with json,
pickle and lmdb.
"""

import json
import pickle
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lmdb

_RESIDUE = re.compile(r"\s*\b(?:ass)?istant:\s*|^\s*(?:ass)?istant\b\s*", re.IGNORECASE)


@dataclass(slots=True)
class ListedRegion:
    """An annotated object; `mask` is COCO's: polygons, an RLE or RLEs, in original pixels."""

    phrases: list[str]
    box: list[float] | None = None
    mask: Any = None
    spans: list[dict[str, int]] = field(default_factory=list)
    category: str = ""


@dataclass(slots=True)
class Photo:
    """A photo to convert; `ignore_zero` maps label 0 to 255 and lowers all others by one."""

    key: str
    path: Path
    captions: list[str] = field(default_factory=list)
    regions: list[ListedRegion] = field(default_factory=list)
    labels: Path | None = None
    ignore_zero: bool = False


def list_photos(root: Path, source: str) -> list[Photo]:
    """The photos of a source's training split."""
    return list(LISTINGS[source](root))


def _grandf_ha(root: Path) -> Iterator[Photo]:
    folder = root / "GranDf_HA_images/train"
    photos: dict[str, Photo] = {}
    with (root / "GranDf/annotations/train/GranDf_HA_GCG_train.json").open("rb") as file:
        rows = json.load(file)
    for row in rows:
        name = row["file_name"]
        photo = photos.setdefault(name, Photo(f"grandf_ha-{name[:-4]}", folder / name))
        for phrase, grounding in row["groundings"].items():
            photo.regions.append(_grounded(phrase, grounding, len(photo.captions)))
        photo.captions.append(row["caption"].strip('"').strip())
    yield from photos.values()


def _grounded(phrase: str, grounding: dict[str, Any] | None, caption: int) -> ListedRegion:
    if grounding is None:
        return ListedRegion([phrase])
    start, stop = grounding["token_positives"]
    return ListedRegion([phrase], None, grounding["rle_masks"], [_span(caption, start, stop)])


def _span(caption: int, start: int, stop: int) -> dict[str, int]:
    return {"caption": caption, "start": start, "stop": stop}


def _refcoco(root: Path) -> Iterator[Photo]:
    with (root / "Refer_Segm/refcoco/refs(unc).p").open("rb") as file:
        refs = pickle.load(file, encoding="latin1")  # noqa: S301 - the usual way to read this file
    with (root / "Refer_Segm/refcoco/instances.json").open("rb") as file:
        coco = json.load(file)
    images = {row["id"]: row["file_name"] for row in coco["images"]}
    rows = {row["id"]: row for row in coco["annotations"]}
    names = {row["id"]: row["name"] for row in coco["categories"]}
    phrases: defaultdict[int, defaultdict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for ref in refs:
        if ref["split"] == "train":
            phrases[ref["image_id"]][ref["ann_id"]] += [s["sent"] for s in ref["sentences"]]
    for number, of_photo in phrases.items():
        regions = [_region(rows[n], texts, names) for n, texts in of_photo.items()]
        path = root / "coco_2014/train2014" / images[number]
        yield Photo(f"refcoco-{number:012d}", path, [], regions)


def _region(row: dict[str, Any], phrases: list[str], names: dict[int, str]) -> ListedRegion:
    x, y, width, height = row["bbox"]
    name = names[row["category_id"]]
    box = [x, y, x + width, y + height]
    return ListedRegion(phrases, box, row["segmentation"], category=name)


def _paco_lvis(root: Path) -> Iterator[Photo]:
    path = root / "Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json"
    with path.open("rb") as file:
        coco = json.load(file)
    names = {row["id"]: row["name"] for row in coco["categories"]}
    regions: defaultdict[int, list[ListedRegion]] = defaultdict(list)
    for row in coco["annotations"]:
        regions[row["image_id"]].append(_region(row, [names[row["category_id"]]], names))
    for image in coco["images"]:
        number, path = image["id"], root / "coco_2017" / image["file_name"]
        yield Photo(f"paco_lvis-{number:012d}", path, [], regions[number])


def _coco_captions(root: Path) -> Iterator[Photo]:
    with (root / "coco_2017/annotations/captions_train2017.json").open("rb") as file:
        coco = json.load(file)
    captions: defaultdict[int, list[str]] = defaultdict(list)
    for row in coco["annotations"]:
        captions[row["image_id"]].append(row["caption"].strip())
    for image in coco["images"]:
        number, path = image["id"], root / "coco_2017/train2017" / image["file_name"]
        yield Photo(f"coco_captions-{number:012d}", path, captions[number])


def _ade20k(root: Path) -> Iterator[Photo]:
    base = root / "Semantic_Segm/ade20k"
    for path in sorted((base / "images/training").glob("*.jpg")):
        labels = base / f"annotations/training/{path.stem}.png"
        yield Photo(f"ade20k-{path.stem}", path, labels=labels, ignore_zero=True)


def _mapillary(root: Path) -> Iterator[Photo]:
    base = root / "Semantic_Segm/mapillary/training"
    for path in sorted((base / "images").glob("*.jpg")):
        labels = base / f"v2.0/labels/{path.stem}.png"
        yield Photo(f"mapillary-{path.stem}", path, labels=labels)


def _grand_referring(root: Path) -> Iterator[Photo]:
    base = root / "GranD_Data/Grand_Referring_Expression_lmdb"
    names = (base / f"{base.name}_Train.txt").read_text().split()
    with lmdb.open(str(base), readonly=True, lock=False) as database, database.begin() as view:
        for name in names:
            rows = json.loads(view.get(name.encode()) or b"")[name]
            regions = [ListedRegion(_phrases(r), r["bbox"], r["segmentation"]) for r in rows]
            yield Photo(
                f"grand_referring-{name[:-4]}", root / "GranD_Data/images" / name, [], regions
            )


def _phrases(row: dict[str, Any]) -> list[str]:
    attribute = row["attribute"] or []
    texts = [attribute] if isinstance(attribute, str) else attribute
    return [text for text in (_RESIDUE.sub(" ", each).strip() for each in texts) if text]


LISTINGS: dict[str, Callable[[Path], Iterator[Photo]]] = {
    "grandf_ha": _grandf_ha,
    "grand_referring": _grand_referring,
    "refcoco": _refcoco,
    "paco_lvis": _paco_lvis,
    "ade20k": _ade20k,
    "mapillary": _mapillary,
    "coco_captions": _coco_captions,
}
