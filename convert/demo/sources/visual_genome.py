"""Visual Genome's regions in GRiT's form, and GLaMM's test file, where a row is a region."""

import math

from convert.demo.files.write import write_bytes, write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueBox, TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.names import describe

_FILES = {"train": "visual_genome/train.json", "test": "visual_genome/test_caption.json"}
_PHOTOS = "visual_genome/images"
_FIRST = 2_315_354
_CATEGORY = "object"
_ROW_DEFECTS = {"negative width": "AnnotationError", "image row gone": "AnnotationError"}
_SPECK, _OUTSIDE, _IGNORED = "a speck", "what is not there", "nothing to speak of"
_FILTERED = (_SPECK, _OUTSIDE, _IGNORED)
_Rows = list[dict[str, object]]


def draw_visual_genome(options: DrawOptions) -> Truth:
    """Draw regions for train and test, and photos, among them one that no annotation names."""
    images: dict[str, _Rows] = {split: [] for split in _FILES}
    annotations: dict[str, _Rows] = {split: [] for split in _FILES}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, *_ROW_DEFECTS, "no regions")
    for drawn in plan_photos(options, "coco", _FIRST, tuple(_FILES), defects):
        photo = f"{_PHOTOS}/{drawn.number}.jpg"
        drawn.save(options.root / photo)
        described = _describe(drawn)
        add = _add_photo if drawn.split == "train" else _add_regions
        add(drawn, described, images[drawn.split], annotations[drawn.split])
        error = drawn.error or _ROW_DEFECTS.get(drawn.defect)
        if error:
            # Without the row, the name of the photo is unknown.
            prefix = "row-" if drawn.defect == "image row gone" else ""
            rejects.append(TrueReject(f"{prefix}{drawn.number}", drawn.split, error))
        else:
            regions = tuple(
                _region(drawn, text, box) for text, box in described if text not in _FILTERED
            )
            samples.append(
                TrueSample(str(drawn.number), drawn.split, photo, drawn.size, regions=regions)
            )
    for split, path in _FILES.items():
        rows = {"images": images[split], "annotations": annotations[split]}
        categories = [{"supercategory": "object", "id": 1, "name": _CATEGORY}]
        write_json(options.root / path, {**rows, "categories": categories})
    write_bytes(options.root / _PHOTOS / "n123.jpg", b"nobody names this")
    return Truth("visual_genome", tuple(samples), tuple(rejects))


def _describe(drawn: DrawnPhoto) -> list[tuple[str, list[int]]]:
    """(caption with irregular white space; x, y, width and height)."""
    if drawn.defect == "no regions":
        return []
    wraps = ("{}", " {}", "{} ", "{}.", "  {}\n")
    height, width = drawn.size
    described: list[tuple[str, list[int]]] = []
    for number, thing in enumerate(drawn.scene.things):
        x0, y0, x1, y1 = (math.floor(edge) for edge in thing.box)
        for text in describe(drawn.scene, thing)[:2]:
            wrap = wraps[(drawn.number + number) % len(wraps)]
            described.append((wrap.format(text), [x0, y0, x1 - x0 + 1, y1 - y0 + 1]))
    described.append(("the whole picture", [-3, -2, width + 7, height + 4]))
    described.append((f"left side of {drawn.scene.setting.name}", [-5, 10, width // 3, height]))
    described.append((_SPECK, [width // 2, height // 2, 0, 0]))
    described.append((_OUTSIDE, [width + 3, 4, 5, 6]))
    described.append((_IGNORED, [2, 3, 11, 12]))
    return described


def _region(drawn: DrawnPhoto, text: str, bbox: list[int]) -> TrueRegion:
    x, y, wide, high = bbox
    height, width = drawn.size
    box: TrueBox = (max(x, 0), max(y, 0), min(x + wide, width), min(y + high, height))
    return TrueRegion((text.strip(),), box, category=_CATEGORY)


def _add_photo(
    drawn: DrawnPhoto, described: list[tuple[str, list[int]]], images: _Rows, annotations: _Rows
) -> None:
    """Add one row for the photo, and one for each region."""
    if drawn.defect != "image row gone":
        height, width = drawn.annotated_size
        row = {"id": drawn.number, "file_name": f"{drawn.number}.jpg"}
        images.append({**row, "height": height, "width": width})
    for number, (text, box) in enumerate(described):
        negative = number == 0 and drawn.defect == "negative width"
        bbox = [box[0], box[1], -box[2], box[3]] if negative else box
        annotations.append(_annotation(drawn.number * 100 + number, drawn.number, text, bbox))


def _add_regions(
    drawn: DrawnPhoto, described: list[tuple[str, list[int]]], images: _Rows, annotations: _Rows
) -> None:
    """Add two rows with the same id for every region. Sizes are strings here."""
    height, width = drawn.annotated_size
    for text, box in described:
        row = {"id": len(images), "file_name": f"{drawn.number}.jpg"}
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
