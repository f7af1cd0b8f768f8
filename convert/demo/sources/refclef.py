"""RefCLEF: RefCOCO's layout with names for annotation ids, and masks of several parts."""

from dataclasses import dataclass, field

import numpy as np

from convert.demo.files import pickle2
from convert.demo.files.coco import CATEGORIES, category_rows, header, pick_things
from convert.demo.files.files import write_bytes, write_json
from convert.demo.scene.raster import Mask, encode
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.words import describe

_FOLDER = "Refer_Segm/refclef"
_PHOTOS = "Refer_Segm/images/saiapr_tc-12"
_SPLITS = ("train", "val", "testA", "testB", "testC")
_FIRST, _FOLDERS = 10_000, 41
_REF_DEFECTS = {
    "annotation gone": "AnnotationError",
    "odd counts": "MaskDecodeError",
    "part of another size": "SizeMismatchError",
}
_OVER = 3.0
"""Pixels by which a spoilt box leaves its photo."""


@dataclass(slots=True)
class _Files:
    """The two files, as they grow."""

    refs: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)
    sentences: int = 0

    def add_ref(self, study: Study, ann_id: str, category: int, said: list[str]) -> None:
        """Ids of annotations are `unicode` or `str`; there is no `file_name`."""
        ids = list(range(self.sentences, self.sentences + len(said)))
        self.sentences += len(said)
        self.refs.append(
            {
                "sent_ids": ids,
                "ann_id": pickle2.Text(ann_id) if len(self.refs) % 2 else ann_id,
                "ref_id": len(self.refs),
                "image_id": study.number,
                "split": study.split,
                "sentences": [
                    {"tokens": list(text.split()), "raw": text, "sent_id": number, "sent": text}
                    for number, text in zip(ids, said, strict=True)
                ],
                "category_id": category,
            }
        )


def draw_refclef(brief: Brief) -> Truth:
    """Refs, instances and photos in folders by their numbers."""
    files = _Files()
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *_REF_DEFECTS, "said twice", "no mask", "box over the border")
    for study in plan_studies(brief, "saiapr", _FIRST, _SPLITS, defects):
        name = f"{study.number // 1000 % _FOLDERS:02d}/images/{study.number}.jpg"
        study.save(brief.root / _PHOTOS / name)
        height, width = study.annotated_size
        row = {"file_name": name, "height": height, "width": width, "id": study.number}
        files.images.append(row)
        regions = _annotate(files, study)
        key, error = f"{study.number:012d}", study.error or _REF_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            photo = f"{_PHOTOS}/{name}"
            samples.append(TrueSample(key, study.split, photo, study.size, regions=regions))
    instances = {**header(), "images": files.images, "annotations": files.annotations}
    instances["categories"] = category_rows()
    write_json(brief.root / _FOLDER / "instances.json", instances)
    write_bytes(brief.root / _FOLDER / "refs(unc).p", pickle2.dump(files.refs))
    write_bytes(brief.root / _FOLDER / "refs(berkeley).p", pickle2.dump([]))
    return Truth("refclef", tuple(samples), tuple(rejects))


def _annotate(files: _Files, study: Study) -> tuple[TrueRegion, ...]:
    """Every thing gets a row, most of them a ref; all regions that the refs name."""
    masks, chance, regions = study.scene.masks(), study.words, []
    named = pick_things(study.scene)[: max(2, len(masks) - 1)]
    rows = [_row(study, number, mask) for number, mask in enumerate(masks)]
    _spoil(rows[named[0]], study.defect, masks[named[0]])
    for number, row in enumerate(rows):
        if study.defect != "annotation gone" or number != named[0]:
            files.annotations.append(row)
    for number in named:
        thing, mask = study.scene.things[number], masks[number]
        known = describe(study.scene, thing)
        said = [known[n] for n in chance.permutation(len(known))[: int(chance.integers(1, 3))]]
        ann_id = f"{study.number}_{number + 1}"
        files.add_ref(study, ann_id, CATEGORIES[thing.kind], said)
        again: list[str] = []
        if study.defect == "said twice":
            again = [said[0]]
            files.add_ref(study, ann_id, CATEGORIES[thing.kind], again)
        x, y, width, height = mask.bbox
        left = 0.0 if study.defect == "box over the border" and number == named[0] else x
        gone = study.defect == "no mask" and number == named[0]
        box = (left, y, x + width, y + height)
        runs = None if gone else mask
        regions.append(TrueRegion((*said, *again), box, runs, (), thing.kind))
    return tuple(regions)


def _row(study: Study, number: int, mask: Mask) -> dict[str, object]:
    """Every second mask is in two parts, which overlap."""
    name = f"{study.number}_{number + 1}"
    parts = _parts(mask) if number % 2 else [mask]
    return {
        "segmentation": [part.as_json() for part in parts],
        "area": mask.area,
        "bbox": mask.bbox,
        "category_id": CATEGORIES[study.scene.things[number].kind],
        "mask_name": f"{name}.mat",
        "id": name,
        "image_id": study.number,
    }


def _parts(mask: Mask) -> list[Mask]:
    _, y, _, height = mask.bbox
    rows = np.arange(mask.size[0])
    low, high = rows < y + 0.6 * height, rows >= y + 0.4 * height
    return [encode(mask.pixels & part[:, None]) for part in (low, high)]


def _spoil(row: dict[str, object], defect: str, mask: Mask) -> None:
    first, (x, y, width, height) = mask.as_json(), mask.bbox
    match defect:
        case "odd counts":
            row["segmentation"] = [{**first, "counts": mask.counts[:-2].decode("ascii")}]
        case "part of another size":
            row["segmentation"] = [first, encode(mask.pixels[:-1]).as_json()]
        case "no mask":
            row["segmentation"] = []
        case "box over the border":
            row["bbox"] = [-_OVER, y, x + width + _OVER, height]
