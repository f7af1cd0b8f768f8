"""An annotation file in MDETR's form, where a row is a sentence about a photo."""

from dataclasses import dataclass, field

from convert.demo.scene.raster import Mask
from convert.demo.scene.studies import Study
from convert.demo.truth import Box, TrueRegion
from convert.demo.words.spoken import Phrase, Said

_CATEGORY = "object"


@dataclass(slots=True)
class MdetrFile:
    """The file as it grows. Row ids run on through all photos.

    Attributes:
        next_id: of the next row.
        masks: whether boxes come with masks.
    """

    next_id: int
    masks: bool = False
    images: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)

    def add(self, study: Study, number: int, said: Said) -> list[TrueRegion]:
        """One sentence with its boxes; the regions they are, but for the caption's number."""
        row_id = self.next_id
        self.next_id += 1
        self.images.append(_image_row(study, row_id, number, said))
        groups = _by_place(said)
        for index, (mask, phrases) in enumerate(groups):
            box = _enclose(study, mask, index)
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
                _spoil(study, row, said.text)
            self.annotations.append(row)
        return [
            TrueRegion(
                phrases=tuple(said.text[p.start : p.stop] for p in phrases),
                box=_clip(study, _enclose(study, mask, index)),
                runs=mask if self.masks else None,
                spans=tuple((number, p.start, p.stop) for p in phrases),
                category=_CATEGORY,
            )
            for index, (mask, phrases) in enumerate(groups)
        ]

    def as_json(self) -> dict[str, object]:
        """The whole file; info and licenses are lists here."""
        return {
            "info": [],
            "licenses": [],
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"supercategory": "object", "id": 1, "name": _CATEGORY}],
        }


def _by_place(said: Said) -> list[tuple[Mask, list[Phrase]]]:
    """Phrases that mean the same share one box, as upstream merges boxes that nearly agree."""
    groups: dict[Mask, list[Phrase]] = {}
    for phrase in said.phrases:
        groups.setdefault(phrase.mask, []).append(phrase)
    return list(groups.items())


def _enclose(study: Study, mask: Mask, index: int) -> list[float]:
    """x, y, width and height around everything that is meant; some end a pixel too late."""
    x, y, width, height = mask.bbox
    if index == 0 and study.number % 3 == 0:
        return [x, y, study.size[1] + 1.0 - x, study.size[0] + 1.0 - y]
    return [x, y, width, height]


def _clip(study: Study, box: list[float]) -> Box:
    x, y, wide, high = box
    height, width = study.size
    return x, y, min(x + wide, float(width)), min(y + high, float(height))


def _image_row(study: Study, row_id: int, number: int, said: Said) -> dict[str, object]:
    height, width = study.annotated_size
    if study.defect == "rows of two sizes" and number:
        height += 1
    return {
        "file_name": f"{study.number}.jpg",
        "height": str(height),
        "width": str(width),
        "id": row_id,
        "caption": said.text,
        "dataset_name": "flickr",
        "tokens_negative": [[0, len(said.text)]],
        "sentence_id": number,
        "original_img_id": study.number,
        "tokens_positive_eval": [[[phrase.start, phrase.stop]] for phrase in said.phrases],
    }


def _spoil(study: Study, row: dict[str, object], caption: str) -> None:
    height, width = study.size
    match study.defect:
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
