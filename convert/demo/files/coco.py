"""Rows of COCO's annotation files about drawn things."""

import numpy as np

from convert.demo.scene.raster import Mask, unite
from convert.demo.scene.scene import Scene, Thing
from convert.demo.scene.shapes import SHAPES
from convert.demo.scene.studies import Study
from convert.demo.truth import Box

CATEGORIES = {kind: number for number, kind in enumerate(SHAPES, start=1)}
TRAIN_2014, TRAIN_2017, VAL_2017 = "coco_2014/train2014", "coco_2017/train2017", "coco_2017/val2017"


def image_row(study: Study, file_name: str) -> dict[str, object]:
    """A row of `images`."""
    height, width = study.annotated_size
    return {
        "license": 3,
        "file_name": file_name,
        "coco_url": f"http://images.example/{file_name}",
        "height": height,
        "width": width,
        "date_captured": "2013-11-14 17:02:52",
        "id": study.number,
    }


def category_rows() -> list[dict[str, object]]:
    """`categories`."""
    return [{"supercategory": "thing", "id": n, "name": kind} for kind, n in CATEGORIES.items()]


def instance_row(study: Study, number: int, thing: Thing, mask: Mask) -> dict[str, object]:
    """A row of `annotations` with the thing's polygons."""
    x0, y0, x1, y1 = box_of(thing)
    return {
        "segmentation": [list(ring) for ring in thing.rings],
        "area": float(mask.area),
        "iscrowd": 0,
        "image_id": study.number,
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "category_id": CATEGORIES[thing.kind],
        "id": study.number * 100 + number,
    }


def crowd_row(study: Study) -> dict[str, object]:
    """A row of `annotations` about all things of one kind, which no ref names.

    COCO's crowds are the one place where its files hold uncompressed run lengths.
    """
    height, width = study.size
    kind, masks = study.scene.things[0].kind, study.scene.masks()
    mask = unite([m for m, t in zip(masks, study.scene.things, strict=True) if t.kind == kind])
    flat = mask.pixels.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(edges, prepend=0, append=flat.size)
    return {
        "segmentation": {"counts": counts.tolist(), "size": [height, width]},
        "area": mask.area,
        "iscrowd": 1,
        "image_id": study.number,
        "bbox": mask.bbox,
        "category_id": CATEGORIES[kind],
        "id": 900_000_000_000 + study.number,
    }


def box_of(thing: Thing) -> Box:
    """The box of a thing as x, y, width and height with two decimals would say it."""
    x0, y0, x1, y1 = thing.box
    return x0, y0, x0 + round(x1 - x0, 2), y0 + round(y1 - y0, 2)


def header() -> dict[str, object]:
    """What stands first in COCO's files."""
    return {
        "info": {"description": "a drawing in the form of COCO", "year": 2014},
        "licenses": [{"url": "", "id": 3, "name": "none"}],
    }


def pick_things(scene: Scene) -> list[int]:
    """Numbers of the things in the order in which people name them: tallest first."""

    def height(number: int) -> float:
        _, top, _, bottom = scene.things[number].box
        return top - bottom

    return sorted(range(len(scene.things)), key=height)
