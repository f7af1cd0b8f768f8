"""RefCOCO's expressions in MDETR's form: a row is a sentence with one box."""

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
from convert.demo.files.write import write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.names import describe

_FILE = "RefCoco_Reg/mdetr_annotations/finetune_{}_{}.json"
_SPLITS = ("train", "val")
_LOST = "sentence row gone"
_ROW_DEFECTS = {"rows of two sizes": "AnnotationError", "negative width": "AnnotationError"}


@dataclass(slots=True)
class _File:
    """The rows of one annotation file. Row ids are consecutive over all photos.

    Attributes:
        dataset: its name in the file.
        next_id: of the next row.
    """

    dataset: str
    next_id: int
    images: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)

    def add(self, drawn: DrawnPhoto, number: int, text: str) -> int:
        """Add a sentence about a thing, and return the id of its row."""
        row_id = self.next_id
        self.next_id += 1
        thing = drawn.scene.things[number]
        x0, y0, x1, y1 = box_of(thing)
        image = image_row(drawn, f"COCO_train2014_{drawn.number:012d}.jpg")
        words = text.split()
        self.images.append(
            {
                "file_name": image["file_name"],
                "height": image["height"],
                "width": image["width"],
                "id": row_id,
                "original_id": drawn.number,
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
                "original_id": drawn.number * 100 + number,
                "tokens_positive": [[0, len(words[0])], [len(words[0]) + 1, len(text)]],
            }
        )
        return row_id

    def as_json(self) -> dict[str, object]:
        """The content of the file."""
        rows = {"images": self.images, "annotations": self.annotations}
        return {**header(), **rows, "categories": category_rows()}


def draw_refcoco_region(options: DrawOptions) -> Truth:
    """Draw RefCOCO's expressions."""
    return _draw(options, "refcoco_region", "refcoco", 581_857)


def draw_refcoco_plus_region(options: DrawOptions) -> Truth:
    """Draw RefCOCO+'s expressions."""
    return _draw(options, "refcoco_plus_region", "refcoco+", 1_581_857)


def draw_refcocog_region(options: DrawOptions) -> Truth:
    """Draw RefCOCOg's expressions."""
    return _draw(options, "refcocog_region", "refcocog", 2_581_857)


def _draw(options: DrawOptions, source: str, dataset: str, first: int) -> Truth:
    # Like upstream, ids continue from file to file.
    files = {s: _File(dataset, first * 10 + n * 2_000_000) for n, s in enumerate(_SPLITS)}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, *_ROW_DEFECTS, _LOST)
    for drawn in plan_photos(options, "coco", first, _SPLITS, defects):
        key = f"COCO_train2014_{drawn.number:012d}"
        photo = f"{TRAIN_2014}/{key}.jpg"
        drawn.save(options.root / photo)
        file = files[drawn.split]
        sentences = _write_sentences(drawn)
        for number, text in sentences:
            row_id = file.add(drawn, number, text)
        if drawn.defect == _LOST:
            # Its box stays in the file, without the photo that it belongs to.
            file.images.pop()
            rejects.append(TrueReject(f"row-{row_id}", drawn.split, "AnnotationError"))
            sentences.pop()
        _spoil(file, drawn, len(sentences))
        error = drawn.error or _ROW_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            samples.append(
                TrueSample(key, drawn.split, photo, drawn.size, regions=_regions(drawn, sentences))
            )
    for split, file in files.items():
        write_json(options.root / _FILE.format(dataset, split), file.as_json())
    (options.root / TRAIN_2014).mkdir(parents=True, exist_ok=True)
    return Truth(source, tuple(samples), tuple(rejects))


def _write_sentences(drawn: DrawnPhoto) -> list[tuple[int, str]]:
    """(number of the thing, sentence). Sentences about one thing are not adjacent."""
    named = pick_things(drawn.scene)[: max(2, len(drawn.scene.things) - 1)]
    known = {number: describe(drawn.scene, drawn.scene.things[number]) for number in named}
    sentences = [(number, text) for number in named for text in known[number][:3]]
    return [sentences[number] for number in drawn.text_rng.permutation(len(sentences))]


def _regions(drawn: DrawnPhoto, sentences: list[tuple[int, str]]) -> tuple[TrueRegion, ...]:
    """One region per thing, in the order in which the file first names them."""
    return tuple(
        TrueRegion(
            phrases=tuple(text for other, text in sentences if other == number),
            box=box_of(drawn.scene.things[number]),
            category=drawn.scene.things[number].kind,
        )
        for number in dict.fromkeys(number for number, _ in sentences)
    )


def _spoil(file: _File, drawn: DrawnPhoto, rows: int) -> None:
    """Give one of the last `rows` rows the defect of the photo."""
    match drawn.defect:
        case "rows of two sizes":
            file.images[-1]["height"] = drawn.size[0] + 1
        case "negative width":
            file.annotations[-rows]["bbox"] = [9.0, 9.0, -4.0, 5.0]
