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
from convert.demo.files.files import write_bytes, write_json
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.words import describe

_PEOPLE_AND_REST = ("train", "val", "testA", "testB")
_REF_DEFECTS = {"annotation gone": "AnnotationError", "odd ring": "MaskDecodeError"}


@dataclass(slots=True)
class _Files:
    """The two files, as they grow."""

    refs: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)
    annotations: list[object] = field(default_factory=list)
    sentences: int = 0

    def add_ref(self, study: Study, ann_id: int, category: int, said: list[str]) -> None:
        ids = list(range(self.sentences, self.sentences + len(said)))
        self.sentences += len(said)
        self.refs.append(
            {
                "sent_ids": ids,
                "file_name": f"COCO_train2014_{study.number:012d}_{len(self.refs)}.jpg",
                "ann_id": pickle2.Long(ann_id) if len(self.refs) % 2 else ann_id,
                "ref_id": len(self.refs),
                "image_id": study.number,
                "split": study.split,
                "sentences": [
                    {
                        "tokens": list(text.split()),
                        "raw": pickle2.Text(f"{text.capitalize()}."),
                        "sent_id": number,
                        "sent": text if number % 2 else pickle2.Text(text),
                    }
                    for number, text in zip(ids, said, strict=True)
                ],
                "category_id": category,
            }
        )


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What tells the three apart.

    Attributes:
        split_by: whose splits.
        first: number of the first photo. RefCOCOg's are RefCOCO's, in other splits, as upstream.
        first_spoilt: drawn apart, each can be spoilt.
    """

    source: str
    folder: str
    split_by: str
    splits: tuple[str, ...]
    first: int
    first_spoilt: int


def draw_refcoco(brief: Brief) -> Truth:
    """Refs, instances (more than the refs name), and photos of the 2014 edition."""
    return _draw(brief, _Dataset("refcoco", "refcoco", "unc", _PEOPLE_AND_REST, 98_304, 5_098_304))


def draw_refcoco_plus(brief: Brief) -> Truth:
    """The same layout in a folder of another name."""
    return _draw(
        brief, _Dataset("refcoco_plus", "refcoco+", "unc", _PEOPLE_AND_REST, 1_098_304, 6_098_304)
    )


def draw_refcocog(brief: Brief) -> Truth:
    """The same layout with one test split, and with the refs of other splits beside it."""
    return _draw(
        brief,
        _Dataset("refcocog", "refcocog", "umd", ("train", "val", "test"), 98_304, 7_098_304),
    )


def _draw(brief: Brief, dataset: _Dataset) -> Truth:
    files = _Files()
    samples, rejects = [], []
    folder = brief.root / "Refer_Segm" / dataset.folder
    defects = (*REJECTED, *MENDED, *_REF_DEFECTS, "said twice", "no mask", "flat ring")
    for study in plan_studies(
        brief, "coco", dataset.first, dataset.splits, defects, first_spoilt=dataset.first_spoilt
    ):
        name = f"COCO_train2014_{study.number:012d}.jpg"
        study.save(brief.root / TRAIN_2014 / name)
        files.images.append(image_row(study, name))
        regions = _annotate(files, study)
        error = study.error or _REF_DEFECTS.get(study.defect)
        key = f"{study.number:012d}"
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            photo = f"{TRAIN_2014}/{name}"
            samples.append(TrueSample(key, study.split, photo, study.size, regions=regions))
    instances = {**header(), "images": files.images, "annotations": files.annotations}
    instances["categories"] = category_rows()
    write_json(folder / "instances.json", instances)
    write_bytes(folder / f"refs({dataset.split_by}).p", pickle2.dump(files.refs))
    write_bytes(folder / "refs(google).p", pickle2.dump([]))
    write_bytes(brief.root / TRAIN_2014 / "COCO_train2014_000000000001.jpg", b"nobody names this")
    return Truth(dataset.source, tuple(samples), tuple(rejects))


def _annotate(files: _Files, study: Study) -> tuple[TrueRegion, ...]:
    """Every thing gets a row, most of them a ref; all regions that the refs name."""
    masks = study.scene.masks()
    named = pick_things(study.scene)[: max(2, len(masks) - 1)]
    for number, (thing, mask) in enumerate(zip(study.scene.things, masks, strict=True)):
        row = instance_row(study, number, thing, mask)
        if number == named[0]:
            match study.defect:
                case "annotation gone":
                    continue
                case "odd ring":
                    row["segmentation"] = [[*thing.rings[0], 1.0]]
                case "no mask":
                    row["segmentation"] = []
                case "flat ring":
                    row["segmentation"] = [*map(list, thing.rings), [4.0, 4.0, 9.0, 9.0]]
        files.annotations.append(row)
    if study.number % 3 == 0:
        files.annotations.append(crowd_row(study))
    chance, regions = study.words, []
    for number in named:
        thing = study.scene.things[number]
        known = describe(study.scene, thing)
        said = [known[n] for n in chance.permutation(len(known))[: int(chance.integers(1, 5))]]
        ann_id, category = study.number * 100 + number, CATEGORIES[thing.kind]
        files.add_ref(study, ann_id, category, said)
        again: list[str] = []
        if study.defect == "said twice":
            again = [said[0], said[0]]
            files.add_ref(study, ann_id, category, again)
        gone = study.defect == "no mask" and number == named[0]
        runs = None if gone else masks[number]
        regions.append(TrueRegion((*said, *again), box_of(thing), runs, (), thing.kind))
    return tuple(regions)
