"""Rows of COCO's annotation files for drawn things."""

import numpy as np

from convert.demo.scene.compose import Scene, Thing
from convert.demo.scene.photos import DrawnPhoto
from convert.demo.scene.raster import Mask, unite
from convert.demo.scene.shapes import SHAPES
from convert.demo.truth import TrueBox

CATEGORIES = {kind: number for number, kind in enumerate(SHAPES, start=1)}
TRAIN_2014, TRAIN_2017, VAL_2017 = "coco_2014/train2014", "coco_2017/train2017", "coco_2017/val2017"


def image_row(drawn: DrawnPhoto, file_name: str) -> dict[str, object]:
    """A row of `images`."""
    height, width = drawn.annotated_size
    return {
        "license": 3,
        "file_name": file_name,
        "coco_url": f"http://images.example/{file_name}",
        "height": height,
        "width": width,
        "date_captured": "2013-11-14 17:02:52",
        "id": drawn.number,
    }


def category_rows() -> list[dict[str, object]]:
    """The rows of `categories`."""
    return [{"supercategory": "thing", "id": n, "name": kind} for kind, n in CATEGORIES.items()]


def instance_row(drawn: DrawnPhoto, number: int, thing: Thing, mask: Mask) -> dict[str, object]:
    """A row of `annotations` with the thing's polygons."""
    x0, y0, x1, y1 = box_of(thing)
    return {
        "segmentation": [list(ring) for ring in thing.rings],
        "area": float(mask.area),
        "iscrowd": 0,
        "image_id": drawn.number,
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "category_id": CATEGORIES[thing.kind],
        "id": drawn.number * 100 + number,
    }


def crowd_row(drawn: DrawnPhoto) -> dict[str, object]:
    """A row of `annotations` for all things of one kind, which no ref names.

    Only the crowd masks of COCO's files are uncompressed run lengths.
    """
    height, width = drawn.size
    kind, masks = drawn.scene.things[0].kind, drawn.scene.masks()
    mask = unite([m for m, t in zip(masks, drawn.scene.things, strict=True) if t.kind == kind])
    flat = mask.pixels.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(edges, prepend=0, append=flat.size)
    return {
        "segmentation": {"counts": counts.tolist(), "size": [height, width]},
        "area": mask.area,
        "iscrowd": 1,
        "image_id": drawn.number,
        "bbox": mask.bbox,
        "category_id": CATEGORIES[kind],
        "id": 900_000_000_000 + drawn.number,
    }


def box_of(thing: Thing) -> TrueBox:
    """The box of a thing after x, y, width and height were rounded to two decimals."""
    x0, y0, x1, y1 = thing.box
    return x0, y0, x0 + round(x1 - x0, 2), y0 + round(y1 - y0, 2)


def header() -> dict[str, object]:
    """The first keys of COCO's files."""
    return {
        "info": {"description": "a drawing in the form of COCO", "year": 2014},
        "licenses": [{"url": "", "id": 3, "name": "none"}],
    }


def pick_things(scene: Scene) -> list[int]:
    """Indices of the things, tallest first."""

    def height(number: int) -> float:
        _, top, _, bottom = scene.things[number].box
        return top - bottom

    return sorted(range(len(scene.things)), key=height)
