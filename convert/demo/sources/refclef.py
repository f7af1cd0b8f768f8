"""RefCLEF: RefCOCO's layout with strings as annotation ids, and masks of several parts."""

from dataclasses import dataclass, field

import numpy as np

from convert.demo.files import pickle2
from convert.demo.files.coco import CATEGORIES, category_rows, header, pick_things
from convert.demo.files.write import write_bytes, write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.scene.raster import Mask, encode
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.names import describe

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
"""Pixels by which a defective box exceeds its photo."""


@dataclass(slots=True)
class _Files:
    """The rows of the two files."""

    refs: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)
    sentences: int = 0

    def add_ref(
        self, drawn: DrawnPhoto, ann_id: str, category: int, expressions: list[str]
    ) -> None:
        """Add a ref. Annotation ids are `unicode` or `str`; there is no `file_name`."""
        ids = list(range(self.sentences, self.sentences + len(expressions)))
        self.sentences += len(expressions)
        self.refs.append(
            {
                "sent_ids": ids,
                "ann_id": pickle2.Text(ann_id) if len(self.refs) % 2 else ann_id,
                "ref_id": len(self.refs),
                "image_id": drawn.number,
                "split": drawn.split,
                "sentences": [
                    {"tokens": list(text.split()), "raw": text, "sent_id": number, "sent": text}
                    for number, text in zip(ids, expressions, strict=True)
                ],
                "category_id": category,
            }
        )


def draw_refclef(options: DrawOptions) -> Truth:
    """Draw refs, instances, and photos in numbered folders."""
    files = _Files()
    samples, rejects = [], []
    defects = (
        *REJECTED,
        *REPAIRABLE,
        *_REF_DEFECTS,
        "said twice",
        "no mask",
        "box over the border",
    )
    for drawn in plan_photos(options, "saiapr", _FIRST, _SPLITS, defects):
        name = f"{drawn.number // 1000 % _FOLDERS:02d}/images/{drawn.number}.jpg"
        drawn.save(options.root / _PHOTOS / name)
        height, width = drawn.annotated_size
        row = {"file_name": name, "height": height, "width": width, "id": drawn.number}
        files.images.append(row)
        regions = _annotate(files, drawn)
        key, error = f"{drawn.number:012d}", drawn.error or _REF_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            photo = f"{_PHOTOS}/{name}"
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, regions=regions))
    instances = {**header(), "images": files.images, "annotations": files.annotations}
    instances["categories"] = category_rows()
    write_json(options.root / _FOLDER / "instances.json", instances)
    write_bytes(options.root / _FOLDER / "refs(unc).p", pickle2.dump(files.refs))
    write_bytes(options.root / _FOLDER / "refs(berkeley).p", pickle2.dump([]))
    return Truth("refclef", tuple(samples), tuple(rejects))


def _annotate(files: _Files, drawn: DrawnPhoto) -> tuple[TrueRegion, ...]:
    """Add a row for every thing and refs for most, and return the regions of the refs."""
    masks, rng, regions = drawn.scene.masks(), drawn.text_rng, []
    named = pick_things(drawn.scene)[: max(2, len(masks) - 1)]
    rows = [_row(drawn, number, mask) for number, mask in enumerate(masks)]
    _spoil(rows[named[0]], drawn.defect, masks[named[0]])
    for number, row in enumerate(rows):
        if drawn.defect != "annotation gone" or number != named[0]:
            files.annotations.append(row)
    for number in named:
        thing, mask = drawn.scene.things[number], masks[number]
        known = describe(drawn.scene, thing)
        expressions = [known[n] for n in rng.permutation(len(known))[: int(rng.integers(1, 3))]]
        ann_id = f"{drawn.number}_{number + 1}"
        files.add_ref(drawn, ann_id, CATEGORIES[thing.kind], expressions)
        again: list[str] = []
        if drawn.defect == "said twice":
            again = [expressions[0]]
            files.add_ref(drawn, ann_id, CATEGORIES[thing.kind], again)
        x, y, width, height = mask.bbox
        left = 0.0 if drawn.defect == "box over the border" and number == named[0] else x
        gone = drawn.defect == "no mask" and number == named[0]
        box = (left, y, x + width, y + height)
        runs = None if gone else mask
        regions.append(TrueRegion((*expressions, *again), box, runs, (), thing.kind))
    return tuple(regions)


def _row(drawn: DrawnPhoto, number: int, mask: Mask) -> dict[str, object]:
    """A row of `annotations`. Every second mask has two overlapping parts."""
    name = f"{drawn.number}_{number + 1}"
    parts = _parts(mask) if number % 2 else [mask]
    return {
        "segmentation": [part.as_json() for part in parts],
        "area": mask.area,
        "bbox": mask.bbox,
        "category_id": CATEGORIES[drawn.scene.things[number].kind],
        "mask_name": f"{name}.mat",
        "id": name,
        "image_id": drawn.number,
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
