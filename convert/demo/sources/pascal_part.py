"""PASCAL-Part: parts of objects, without the objects."""

from convert.demo.files.write import write_bytes, write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.scene.raster import Mask
from convert.demo.scene.shapes import SHAPES
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
"""Kind -> PASCAL-Part's names of its parts. Names of other kinds are derived from the kind."""
_HALVES = {kind: _BETWEEN.get(kind, (f"{kind}:top", f"{kind}:bottom")) for kind in SHAPES}
_PASCAL = {name: n for n, name in enumerate((n for pair in _HALVES.values() for n in pair), 1)}
_ROOT = "Semantic_Segm/pascal_part"
_FIRST = 2


def draw_pascal_part(options: DrawOptions) -> Truth:
    """Draw one file of parts without objects, and the photos of VOC2010."""
    file = PartsFile()
    samples, rejects = [], []
    folder = f"{_ROOT}/VOCdevkit/VOC2010/JPEGImages"
    defects = (*REJECTED, *REPAIRABLE, *ROW_DEFECTS, "counts in a list")
    for drawn in plan_photos(options, "flickr", _FIRST, ("train",), defects):
        year, number = 2010 if drawn.defect else 2008, drawn.number % 1_000_000
        image_id, name = year * 1_000_000 + number, f"{year}_{number:06d}.jpg"
        drawn.save(options.root / folder / name)
        if drawn.defect != "photo not listed":
            height, width = drawn.annotated_size
            row = {"file_name": name, "height": height, "width": width, "id": image_id}
            file.images.append(row)
        regions = _annotate_pascal(file, drawn, image_id)
        key, error = f"{image_id:012d}", drawn.error or ROW_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            photo = f"{folder}/{name}"
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, regions=regions))
    categories = [{"id": n, "name": name} for name, n in _PASCAL.items()]
    categories[1]["abbr"] = "body"
    write_json(options.root / _ROOT / "train.json", {"categories": categories, **rows_of(file)})
    write_bytes(options.root / folder / "2007_000001.jpg", b"has no parts, so nobody names it")
    return Truth("pascal_part", tuple(samples), tuple(rejects))


def _annotate_pascal(file: PartsFile, drawn: DrawnPhoto, image_id: int) -> tuple[TrueRegion, ...]:
    """Regions of parts. Boxes end at their last pixel; in some photos a part is a pixel wide."""
    parts: list[tuple[str, Mask]] = []
    for thing, mask in zip(drawn.scene.things, drawn.scene.masks(), strict=True):
        names = _HALVES[thing.kind]
        if drawn.number % 3 == 0 and not parts:
            parts.append((names[0], sliver_of(mask)))
        parts += [(name, half_of(mask, upper=name == names[0])) for name in names]
    regions: list[TrueRegion] = []
    for name, mask in parts:
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
            spoil(row, drawn.defect, mask)
        file.annotations.append(row)
        regions.append(TrueRegion((name,), box_of_row(bbox), mask, (), name))
    return tuple(regions)
