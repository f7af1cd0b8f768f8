"""RefCOCO's expressions in MDETR's form: a row is a sentence, with the one box it means."""

from dataclasses import dataclass, field

from convert.demo.files.coco import (
    CATEGORIES,
    TRAIN_2014,
    box_of,
    category_rows,
    header,
    image_row,
    pick_things,
)
from convert.demo.files.files import write_json
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.words import describe

_FILE = "RefCoco_Reg/mdetr_annotations/finetune_{}_{}.json"
_SPLITS = ("train", "val")
_LOST = "sentence row gone"
_ROW_DEFECTS = {"rows of two sizes": "AnnotationError", "negative width": "AnnotationError"}


@dataclass(slots=True)
class _File:
    """One annotation file, as it grows. Row ids run on through all photos.

    Attributes:
        dataset: its name in the file.
        next_id: of the next row.
    """

    dataset: str
    next_id: int
    images: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)

    def add(self, study: Study, number: int, text: str) -> int:
        """One sentence about one thing; the id of its row."""
        row_id = self.next_id
        self.next_id += 1
        thing = study.scene.things[number]
        x0, y0, x1, y1 = box_of(thing)
        image = image_row(study, f"COCO_train2014_{study.number:012d}.jpg")
        words = text.split()
        self.images.append(
            {
                "file_name": image["file_name"],
                "height": image["height"],
                "width": image["width"],
                "id": row_id,
                "original_id": study.number,
                "caption": text,
                "dataset_name": self.dataset,
                "tokens_negative": [[0, len(text)]],
            }
        )
        self.annotations.append(
            {
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
                "image_id": row_id,
                "category_id": CATEGORIES[thing.kind],
                "id": row_id,
                "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
                "original_id": study.number * 100 + number,
                "tokens_positive": [[0, len(words[0])], [len(words[0]) + 1, len(text)]],
            }
        )
        return row_id

    def as_json(self) -> dict[str, object]:
        """The whole file."""
        rows = {"images": self.images, "annotations": self.annotations}
        return {**header(), **rows, "categories": category_rows()}


def draw_refcoco_region(brief: Brief) -> Truth:
    """Sentences of RefCOCO."""
    return _draw(brief, "refcoco_region", "refcoco", 581_857)


def draw_refcoco_plus_region(brief: Brief) -> Truth:
    """Sentences of RefCOCO+."""
    return _draw(brief, "refcoco_plus_region", "refcoco+", 1_581_857)


def draw_refcocog_region(brief: Brief) -> Truth:
    """Sentences of RefCOCOg."""
    return _draw(brief, "refcocog_region", "refcocog", 2_581_857)


def _draw(brief: Brief, source: str, dataset: str, first: int) -> Truth:
    # Ids run on from file to file, as in the script that made them.
    files = {s: _File(dataset, first * 10 + n * 2_000_000) for n, s in enumerate(_SPLITS)}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *_ROW_DEFECTS, _LOST)
    for study in plan_studies(brief, "coco", first, _SPLITS, defects):
        key = f"COCO_train2014_{study.number:012d}"
        photo = f"{TRAIN_2014}/{key}.jpg"
        study.save(brief.root / photo)
        file = files[study.split]
        said = _tell(study)
        for number, text in said:
            row_id = file.add(study, number, text)
        if study.defect == _LOST:
            # Its box stays; nothing says any more which photo it was about.
            file.images.pop()
            rejects.append(TrueReject(f"row-{row_id}", study.split, "AnnotationError"))
            said.pop()
        _spoil(file, study, len(said))
        error = study.error or _ROW_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            samples.append(
                TrueSample(key, study.split, photo, study.size, regions=_regions(study, said))
            )
    for split, file in files.items():
        write_json(brief.root / _FILE.format(dataset, split), file.as_json())
    (brief.root / TRAIN_2014).mkdir(parents=True, exist_ok=True)
    return Truth(source, tuple(samples), tuple(rejects))


def _tell(study: Study) -> list[tuple[int, str]]:
    """(number of the thing, sentence): sentences about one thing do not stand together."""
    named = pick_things(study.scene)[: max(2, len(study.scene.things) - 1)]
    known = {number: describe(study.scene, study.scene.things[number]) for number in named}
    said = [(number, text) for number in named for text in known[number][:3]]
    return [said[number] for number in study.words.permutation(len(said))]


def _regions(study: Study, said: list[tuple[int, str]]) -> tuple[TrueRegion, ...]:
    """One for each thing, in the order in which the file first names them."""
    return tuple(
        TrueRegion(
            phrases=tuple(text for other, text in said if other == number),
            box=box_of(study.scene.things[number]),
            category=study.scene.things[number].kind,
        )
        for number in dict.fromkeys(number for number, _ in said)
    )


def _spoil(file: _File, study: Study, rows: int) -> None:
    """Spoil one of the last so many rows."""
    match study.defect:
        case "rows of two sizes":
            file.images[-1]["height"] = study.size[0] + 1
        case "negative width":
            file.annotations[-rows]["bbox"] = [9.0, 9.0, -4.0, 5.0]
