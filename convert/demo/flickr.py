"""Flickr30k in MDETR's form, where a row is a sentence; and GranD-f's copy of it with masks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from convert.demo.files import write_json
from convert.demo.raster import Mask
from convert.demo.spoken import Phrase, Said, mark, say
from convert.demo.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.tell import retell, write_captions, write_grounded
from convert.demo.truth import Box, TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words import a, name

_PHOTOS = "flikcr_30k/train"
_CATEGORY = "object"
_SENTENCES, _FEWER = 5, 3
_LOST = "sentence row gone"
_ROW_DEFECTS = {
    "span too long": "SpanError",
    "span before the caption": "SpanError",
    "empty span": "SpanError",
    "rows of two sizes": "AnnotationError",
}
_MASK_DEFECTS = {"mask of another size": "SizeMismatchError", "counts cut short": "MaskDecodeError"}
_NOT_TOLD = "nothing has a box"


@dataclass(slots=True)
class _File:
    """One annotation file, as it grows. Row ids run on through all photos.

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


def draw_flickr30k(brief: Brief) -> Truth:
    """Five sentences a photo."""
    place = "RefCoco_Reg/mdetr_annotations/final_flickr_mergedGT_train.json"
    files = {"train": (place, _File(7_000_000))}
    return _draw(brief, "flickr30k", 1_000_092_795, files)


def draw_flickr_gcg(brief: Brief) -> Truth:
    """Fewer sentences, and a mask for every box."""
    place = "GranDf/annotations/train/flickr_mergedGT_GCG_{}.json"
    firsts = {"train": 8_000_000, "val": 9_000_000}
    files = {s: (place.format(s), _File(first, masks=True)) for s, first in firsts.items()}
    return _draw(brief, "flickr_gcg", 3_359_636_318, files)


def _draw(brief: Brief, source: str, first: int, files: dict[str, tuple[str, _File]]) -> Truth:
    masks = files["train"][1].masks
    errors = {**REJECTED, **_ROW_DEFECTS, **(_MASK_DEFECTS if masks else {})}
    samples, rejects = [], []
    for study in plan_studies(
        brief, "flickr", first, tuple(files), (*errors, *MENDED, _LOST, _NOT_TOLD)
    ):
        photo = f"{_PHOTOS}/{study.number}.jpg"
        study.save(brief.root / photo)
        file = files[study.split][1]
        told = list(_tell(study))[: _FEWER if masks else _SENTENCES]
        if not (masks or study.defect or study.number % 4):
            file.add(study, len(told), _blurt(study))  # too short: filtered, with its box
        regions: list[TrueRegion] = []
        for number, said in enumerate(told):
            found = file.add(study, number, said)
            if study.defect == _LOST and number == len(told) - 1:
                # Its boxes stay; nothing says any more which photo they were about.
                row = file.images.pop()
                rejects.append(TrueReject(f"row-{row['id']}", study.split, "AnnotationError"))
                told.pop()
            else:
                regions += found
        if error := errors.get(study.defect):
            rejects.append(TrueReject(str(study.number), study.split, error))
            continue
        captions = tuple(said.text for said in told)
        samples.append(
            TrueSample(str(study.number), study.split, photo, study.size, captions, tuple(regions))
        )
    for place, file in files.values():
        write_json(brief.root / place, file.as_json())
    (brief.root / _PHOTOS).mkdir(parents=True, exist_ok=True)
    return Truth(source, tuple(samples), tuple(rejects))


def _tell(study: Study) -> Iterator[Said]:
    """Five sentences, tokenised; one of them means nothing that has a box."""
    scene = study.scene
    whole, twice = Said(*write_grounded(scene)), Said(*retell(scene))
    plain = Said(f"{write_captions(scene, study.words)[1]} ")
    last, first = scene.things[-1], scene.things[0]
    marked = [mark(a(name(t)), (m,)) for t, m in zip(scene.things, scene.masks(), strict=True)]
    one = say("Someone looks at ", marked[-1], f" {last.place}, at nothing else.")
    other = say("There is ", marked[0], f" {first.place}. It is ", mark("the thing to see", ()))
    seen = replace(other.phrases[-1], masks=other.phrases[0].masks)
    other = replace(other, phrases=(other.phrases[0], seen))
    for said in (whole, plain, twice, one, other):
        bare = study.defect == _NOT_TOLD
        yield _tokenise(replace(said, phrases=() if bare else said.phrases))


def _blurt(study: Study) -> Said:
    """A sentence that says no more than what there is."""
    thing, mask = study.scene.things[0], study.scene.masks()[0]
    return _tokenise(say(mark(thing.kind.capitalize(), (mask,)), "."))


def _tokenise(said: Said) -> Said:
    """A blank before every comma and full stop; phrases move with their words."""
    blanks = [match.start() for match in re.finditer(r"(?<=\S)[.,]", said.text)]

    def moved(place: int) -> int:
        return place + sum(blank < place for blank in blanks)

    phrases = (replace(p, start=moved(p.start), stop=moved(p.stop)) for p in said.phrases)
    return Said(re.sub(r"(?<=\S)([.,])", r" \1", said.text), tuple(phrases))


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
