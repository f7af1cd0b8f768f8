"""Visual Genome's regions in GRiT's form, and GLaMM's test file, where a row is a region."""

import math

from convert.demo.files.files import write_bytes, write_json
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import Box, TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.words import describe

_FILES = {"train": "visual_genome/train.json", "test": "visual_genome/test_caption.json"}
_PHOTOS = "visual_genome/images"
_FIRST = 2_315_354
_CATEGORY = "object"
_ROW_DEFECTS = {"negative width": "AnnotationError", "image row gone": "AnnotationError"}
_SPECK, _OUTSIDE, _IGNORED = "a speck", "what is not there", "nothing to speak of"
_FILTERED = (_SPECK, _OUTSIDE, _IGNORED)
_Rows = list[dict[str, object]]


def draw_visual_genome(brief: Brief) -> Truth:
    """Regions for training and for test, and photos among which some are of other collections."""
    images: dict[str, _Rows] = {split: [] for split in _FILES}
    annotations: dict[str, _Rows] = {split: [] for split in _FILES}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *_ROW_DEFECTS, "no regions")
    for study in plan_studies(brief, "coco", _FIRST, tuple(_FILES), defects):
        photo = f"{_PHOTOS}/{study.number}.jpg"
        study.save(brief.root / photo)
        described = _describe(study)
        add = _add_photo if study.split == "train" else _add_regions
        add(study, described, images[study.split], annotations[study.split])
        error = study.error or _ROW_DEFECTS.get(study.defect)
        if error:
            # A row that is gone takes the photo's name with it.
            prefix = "row-" if study.defect == "image row gone" else ""
            rejects.append(TrueReject(f"{prefix}{study.number}", study.split, error))
        else:
            regions = tuple(
                _region(study, text, box) for text, box in described if text not in _FILTERED
            )
            samples.append(
                TrueSample(str(study.number), study.split, photo, study.size, regions=regions)
            )
    for split, place in _FILES.items():
        rows = {"images": images[split], "annotations": annotations[split]}
        categories = [{"supercategory": "object", "id": 1, "name": _CATEGORY}]
        write_json(brief.root / place, {**rows, "categories": categories})
    write_bytes(brief.root / _PHOTOS / "n123.jpg", b"nobody names this")
    return Truth("visual_genome", tuple(samples), tuple(rejects))


def _describe(study: Study) -> list[tuple[str, list[int]]]:
    """(caption as carelessly as people wrote it; x, y, width and height)."""
    if study.defect == "no regions":
        return []
    wraps = ("{}", " {}", "{} ", "{}.", "  {}\n")
    height, width = study.size
    found: list[tuple[str, list[int]]] = []
    for number, thing in enumerate(study.scene.things):
        x0, y0, x1, y1 = (math.floor(edge) for edge in thing.box)
        for text in describe(study.scene, thing)[:2]:
            wrap = wraps[(study.number + number) % len(wraps)]
            found.append((wrap.format(text), [x0, y0, x1 - x0 + 1, y1 - y0 + 1]))
    found.append(("the whole picture", [-3, -2, width + 7, height + 4]))
    found.append((f"left side of {study.scene.setting.name}", [-5, 10, width // 3, height]))
    found.append((_SPECK, [width // 2, height // 2, 0, 0]))
    found.append((_OUTSIDE, [width + 3, 4, 5, 6]))
    found.append((_IGNORED, [2, 3, 11, 12]))
    return found


def _region(study: Study, text: str, bbox: list[int]) -> TrueRegion:
    x, y, wide, high = bbox
    height, width = study.size
    box: Box = (max(x, 0), max(y, 0), min(x + wide, width), min(y + high, height))
    return TrueRegion((text.strip(),), box, category=_CATEGORY)


def _add_photo(
    study: Study, described: list[tuple[str, list[int]]], images: _Rows, annotations: _Rows
) -> None:
    """One row for the photo, and one for each region."""
    if study.defect != "image row gone":
        height, width = study.annotated_size
        row = {"id": study.number, "file_name": f"{study.number}.jpg"}
        images.append({**row, "height": height, "width": width})
    for number, (text, box) in enumerate(described):
        negative = number == 0 and study.defect == "negative width"
        bbox = [box[0], box[1], -box[2], box[3]] if negative else box
        annotations.append(_annotation(study.number * 100 + number, study.number, text, bbox))


def _add_regions(
    study: Study, described: list[tuple[str, list[int]]], images: _Rows, annotations: _Rows
) -> None:
    """A row of each kind for every region, both of one id; sizes are strings here."""
    height, width = study.annotated_size
    for text, box in described:
        row = {"id": len(images), "file_name": f"{study.number}.jpg"}
        images.append({**row, "height": str(height), "width": str(width)})
        annotations.append(_annotation(len(annotations), len(annotations), text, box))


def _annotation(row_id: int, image_id: int, text: str, bbox: list[int]) -> dict[str, object]:
    return {
        "area": bbox[2] * bbox[3],
        "iscrowd": 0,
        "image_id": image_id,
        "category_id": 1,
        "id": row_id,
        "bbox": bbox,
        "caption": text,
        **({"ignore": 1} if text == _IGNORED else {}),
    }
