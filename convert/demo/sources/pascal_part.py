"""PASCAL-Part: parts of things, of which the things themselves are lost."""

from convert.demo.files.files import write_bytes, write_json
from convert.demo.scene.raster import Mask
from convert.demo.scene.shapes import SHAPES
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.sources.parts import (
    ROW_DEFECTS,
    PartsFile,
    box_of_row,
    half_of,
    rows_of,
    sliver_of,
    spoil,
)
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth

_BETWEEN = {
    "bottle": ("bottle:cap", "bottle:body"),
    "vase": ("potted plant:plant", "potted plant:pot"),
}
"""PASCAL-Part's names; of other kinds they are made from the kind."""
_HALVES = {kind: _BETWEEN.get(kind, (f"{kind}:top", f"{kind}:bottom")) for kind in SHAPES}
_PASCAL = {name: n for n, name in enumerate((n for pair in _HALVES.values() for n in pair), 1)}
_ROOT = "Semantic_Segm/pascal_part"
_FIRST = 2


def draw_pascal_part(brief: Brief) -> Truth:
    """One file of parts whose objects it does not tell, and the photos of a VOC2010."""
    file = PartsFile()
    samples, rejects = [], []
    folder = f"{_ROOT}/VOCdevkit/VOC2010/JPEGImages"
    defects = (*REJECTED, *MENDED, *ROW_DEFECTS, "counts in a list")
    for study in plan_studies(brief, "flickr", _FIRST, ("train",), defects):
        year, number = 2010 if study.defect else 2008, study.number % 1_000_000
        image_id, name = year * 1_000_000 + number, f"{year}_{number:06d}.jpg"
        study.save(brief.root / folder / name)
        if study.defect != "photo not listed":
            height, width = study.annotated_size
            row = {"file_name": name, "height": height, "width": width, "id": image_id}
            file.images.append(row)
        regions = _annotate_pascal(file, study, image_id)
        key, error = f"{image_id:012d}", study.error or ROW_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            photo = f"{folder}/{name}"
            samples.append(TrueSample(key, study.split, photo, study.size, regions=regions))
    categories = [{"id": n, "name": name} for name, n in _PASCAL.items()]
    categories[1]["abbr"] = "body"
    write_json(brief.root / _ROOT / "train.json", {"categories": categories, **rows_of(file)})
    write_bytes(brief.root / folder / "2007_000001.jpg", b"has no parts, so nobody names it")
    return Truth("pascal_part", tuple(samples), tuple(rejects))


def _annotate_pascal(file: PartsFile, study: Study, image_id: int) -> tuple[TrueRegion, ...]:
    """Boxes end at their last pixel, not behind it; in some photos a part is a pixel wide."""
    found: list[tuple[str, Mask]] = []
    for thing, mask in zip(study.scene.things, study.scene.masks(), strict=True):
        names = _HALVES[thing.kind]
        if study.number % 3 == 0 and not found:
            found.append((names[0], sliver_of(mask)))
        found += [(name, half_of(mask, upper=name == names[0])) for name in names]
    regions: list[TrueRegion] = []
    for name, mask in found:
        if not mask.area:
            continue
        x, y, width, height = mask.bbox
        bbox = [x, y, width - 1, height - 1]
        row: dict[str, object] = {
            "segmentation": mask.as_json(),
            "bbox": bbox,
            "category_id": _PASCAL[name],
            "image_id": image_id,
            "id": len(file.annotations),
            "iscrowd": 0,
            "area": bbox[2] * bbox[3],
        }
        if not regions:
            spoil(row, study.defect, mask)
        file.annotations.append(row)
        regions.append(TrueRegion((name,), box_of_row(bbox), mask, (), name))
    return tuple(regions)
