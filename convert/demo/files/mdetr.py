"""An annotation file in MDETR's form, where a row is a sentence about a photo."""

from dataclasses import dataclass, field

from convert.demo.scene.photos import DrawnPhoto
from convert.demo.scene.raster import Mask
from convert.demo.truth import TrueBox, TrueRegion
from convert.demo.words.phrases import GroundedText, Phrase

_CATEGORY = "object"


@dataclass(slots=True)
class MdetrFile:
    """Collects the rows of a file. Row ids are consecutive over all photos.

    Attributes:
        next_id: of the next row.
        masks: whether boxes have masks.
    """

    next_id: int
    masks: bool = False
    images: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)

    def add(self, drawn: DrawnPhoto, number: int, sentence: GroundedText) -> list[TrueRegion]:
        """Add a sentence with its boxes, and return the regions that a reader must find."""
        row_id = self.next_id
        self.next_id += 1
        self.images.append(_image_row(drawn, row_id, number, sentence))
        groups = _by_mask(sentence)
        for index, (mask, phrases) in enumerate(groups):
            box = _enclose(drawn, mask, index)
            row: dict[str, object] = {
                "area": box[2] * box[3],
                "iscrowd": 0,
                "image_id": row_id,
                "category_id": 1,
                "id": len(self.annotations),
                "bbox": box,
                "tokens_positive": [[p.start, p.stop] for p in phrases],
            }
            if self.masks:
                row["sam_mask"] = mask.as_json()
            if index == number == 0:
                _spoil(drawn, row, sentence.text)
            self.annotations.append(row)
        return [
            TrueRegion(
                phrases=tuple(sentence.text[p.start : p.stop] for p in phrases),
                box=_clip(drawn, _enclose(drawn, mask, index)),
                runs=mask if self.masks else None,
                spans=tuple((number, p.start, p.stop) for p in phrases),
                category=_CATEGORY,
            )
            for index, (mask, phrases) in enumerate(groups)
        ]

    def as_json(self) -> dict[str, object]:
        """The content of the file. `info` and `licenses` are lists here."""
        return {
            "info": [],
            "licenses": [],
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"supercategory": "object", "id": 1, "name": _CATEGORY}],
        }


def _by_mask(sentence: GroundedText) -> list[tuple[Mask, list[Phrase]]]:
    """The phrases of each mask. They share one box, as upstream merges nearly equal boxes."""
    groups: dict[Mask, list[Phrase]] = {}
    for phrase in sentence.phrases:
        groups.setdefault(phrase.mask, []).append(phrase)
    return list(groups.items())


def _enclose(drawn: DrawnPhoto, mask: Mask, index: int) -> list[float]:
    """x, y, width and height of a mask; some boxes end a pixel outside the photo."""
    x, y, width, height = mask.bbox
    if index == 0 and drawn.number % 3 == 0:
        return [x, y, drawn.size[1] + 1.0 - x, drawn.size[0] + 1.0 - y]
    return [x, y, width, height]


def _clip(drawn: DrawnPhoto, box: list[float]) -> TrueBox:
    x, y, wide, high = box
    height, width = drawn.size
    return x, y, min(x + wide, float(width)), min(y + high, float(height))


def _image_row(
    drawn: DrawnPhoto, row_id: int, number: int, sentence: GroundedText
) -> dict[str, object]:
    height, width = drawn.annotated_size
    if drawn.defect == "rows of two sizes" and number:
        height += 1
    return {
        "file_name": f"{drawn.number}.jpg",
        "height": str(height),
        "width": str(width),
        "id": row_id,
        "caption": sentence.text,
        "dataset_name": "flickr",
        "tokens_negative": [[0, len(sentence.text)]],
        "sentence_id": number,
        "original_img_id": drawn.number,
        "tokens_positive_eval": [[[phrase.start, phrase.stop]] for phrase in sentence.phrases],
    }


def _spoil(drawn: DrawnPhoto, row: dict[str, object], caption: str) -> None:
    height, width = drawn.size
    match drawn.defect:
        case "span too long":
            row["tokens_positive"] = [[0, len(caption) + 1]]
        case "span before the caption":
            row["tokens_positive"] = [[0, 2], [-1, 3]]
        case "empty span":
            row["tokens_positive"] = [[4, 4]]
        case "mask of another size":
            row["sam_mask"] = {"size": [height + 1, width], "counts": "0"}
        case "counts cut short":
            row["sam_mask"] = {"size": [height, width], "counts": "o"}
