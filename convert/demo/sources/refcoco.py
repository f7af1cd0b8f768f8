"""RefCOCO, RefCOCO+ and RefCOCOg: a Python 2 pickle of expressions beside COCO's instances."""

from dataclasses import dataclass, field

from convert.demo.files import pickle2
from convert.demo.files.coco import (
    CATEGORIES,
    TRAIN_2014,
    box_of,
    category_rows,
    crowd_row,
    header,
    image_row,
    instance_row,
    pick_things,
)
from convert.demo.files.write import write_bytes, write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.names import describe

_PEOPLE_AND_REST = ("train", "val", "testA", "testB")
_REF_DEFECTS = {"annotation gone": "AnnotationError", "odd ring": "MaskDecodeError"}


@dataclass(slots=True)
class _Files:
    """The rows of the two files."""

    refs: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    sentences: int = 0

    def add_ref(
        self, drawn: DrawnPhoto, ann_id: int, category: int, expressions: list[str]
    ) -> None:
        ids = list(range(self.sentences, self.sentences + len(expressions)))
        self.sentences += len(expressions)
        self.refs.append(
            {
                "sent_ids": ids,
                "file_name": f"COCO_train2014_{drawn.number:012d}_{len(self.refs)}.jpg",
                "ann_id": pickle2.Long(ann_id) if len(self.refs) % 2 else ann_id,
                "ref_id": len(self.refs),
                "image_id": drawn.number,
                "split": drawn.split,
                "sentences": [
                    {
                        "tokens": list(text.split()),
                        "raw": pickle2.Text(f"{text.capitalize()}."),
                        "sent_id": number,
                        "sent": text if number % 2 else pickle2.Text(text),
                    }
                    for number, text in zip(ids, expressions, strict=True)
                ],
                "category_id": category,
            }
        )


@dataclass(frozen=True, slots=True)
class _Dataset:
    """The differences between the three datasets.

    Attributes:
        split_by: author of the splits.
        first: number of the first photo. As upstream, RefCOCOg has RefCOCO's photos.
        first_defective: number of the first photo with a defect; these are not shared.
    """

    source: str
    folder: str
    split_by: str
    splits: tuple[str, ...]
    first: int
    first_defective: int


def draw_refcoco(options: DrawOptions) -> Truth:
    """Draw refs, instances (more than the refs name), and photos of the 2014 edition."""
    return _draw(
        options, _Dataset("refcoco", "refcoco", "unc", _PEOPLE_AND_REST, 98_304, 5_098_304)
    )


def draw_refcoco_plus(options: DrawOptions) -> Truth:
    """Draw RefCOCO+: the layout of RefCOCO in another folder."""
    return _draw(
        options, _Dataset("refcoco_plus", "refcoco+", "unc", _PEOPLE_AND_REST, 1_098_304, 6_098_304)
    )


def draw_refcocog(options: DrawOptions) -> Truth:
    """Draw RefCOCOg: one test split, and a second pickle with other splits."""
    return _draw(
        options,
        _Dataset("refcocog", "refcocog", "umd", ("train", "val", "test"), 98_304, 7_098_304),
    )


def _draw(options: DrawOptions, dataset: _Dataset) -> Truth:
    files = _Files()
    samples, rejects = [], []
    folder = options.root / "Refer_Segm" / dataset.folder
    defects = (*REJECTED, *REPAIRABLE, *_REF_DEFECTS, "said twice", "no mask", "flat ring")
    for drawn in plan_photos(
        options,
        "coco",
        dataset.first,
        dataset.splits,
        defects,
        first_defective=dataset.first_defective,
    ):
        name = f"COCO_train2014_{drawn.number:012d}.jpg"
        drawn.save(options.root / TRAIN_2014 / name)
        files.images.append(image_row(drawn, name))
        regions = _annotate(files, drawn)
        error = drawn.error or _REF_DEFECTS.get(drawn.defect)
        key = f"{drawn.number:012d}"
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            photo = f"{TRAIN_2014}/{name}"
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, regions=regions))
    instances = {**header(), "images": files.images, "annotations": files.annotations}
    instances["categories"] = category_rows()
    write_json(folder / "instances.json", instances)
    write_bytes(folder / f"refs({dataset.split_by}).p", pickle2.dump(files.refs))
    write_bytes(folder / "refs(google).p", pickle2.dump([]))
    write_bytes(options.root / TRAIN_2014 / "COCO_train2014_000000000001.jpg", b"nobody names this")
    return Truth(dataset.source, tuple(samples), tuple(rejects))


def _annotate(files: _Files, drawn: DrawnPhoto) -> tuple[TrueRegion, ...]:
    """Add a row for every thing and refs for most, and return the regions of the refs."""
    masks = drawn.scene.masks()
    named = pick_things(drawn.scene)[: max(2, len(masks) - 1)]
    for number, (thing, mask) in enumerate(zip(drawn.scene.things, masks, strict=True)):
        row = instance_row(drawn, number, thing, mask)
        if number == named[0]:
            match drawn.defect:
                case "annotation gone":
                    continue
                case "odd ring":
                    row["segmentation"] = [[*thing.rings[0], 1.0]]
                case "no mask":
                    row["segmentation"] = []
                case "flat ring":
                    row["segmentation"] = [*map(list, thing.rings), [4.0, 4.0, 9.0, 9.0]]
        files.annotations.append(row)
    if drawn.number % 3 == 0:
        files.annotations.append(crowd_row(drawn))
    rng, regions = drawn.text_rng, []
    for number in named:
        thing = drawn.scene.things[number]
        known = describe(drawn.scene, thing)
        expressions = [known[n] for n in rng.permutation(len(known))[: int(rng.integers(1, 5))]]
        ann_id, category = drawn.number * 100 + number, CATEGORIES[thing.kind]
        files.add_ref(drawn, ann_id, category, expressions)
        again: list[str] = []
        if drawn.defect == "said twice":
            again = [expressions[0], expressions[0]]
            files.add_ref(drawn, ann_id, category, again)
        gone = drawn.defect == "no mask" and number == named[0]
        runs = None if gone else masks[number]
        regions.append(TrueRegion((*expressions, *again), box_of(thing), runs, (), thing.kind))
    return tuple(regions)
