"""Rows, defects and masks of sources with object parts."""

from dataclasses import dataclass, field

import numpy as np

from convert.demo.scene.raster import Mask, encode
from convert.demo.truth import TrueBox

ROW_DEFECTS = {
    "photo not listed": "AnnotationError",
    "unknown category": "AnnotationError",
    "negative width": "AnnotationError",
    "odd counts": "MaskDecodeError",
    "mask of another size": "SizeMismatchError",
}
OTHER_FORMS = ("counts in a list", "polygons")


@dataclass(slots=True)
class PartsFile:
    """The rows of one annotation file."""

    images: list[object] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)


def rows_of(file: PartsFile) -> dict[str, object]:
    """The two lists of rows in the form of the file."""
    return {"images": file.images, "annotations": file.annotations}


def spoil(row: dict[str, object], defect: str, mask: Mask) -> None:
    """Give a row a defect, or another form of mask."""
    height, width = mask.size
    x, y, _, tall = mask.bbox
    match defect:
        case "unknown category":
            row["category_id"] = 9_999
        case "negative width":
            row["bbox"] = [x, y, -4.0, tall]
        case "odd counts":
            row["segmentation"] = {**mask.as_json(), "counts": mask.counts[:-2].decode("ascii")}
        case "mask of another size":
            row["segmentation"] = encode(mask.pixels[:, : width - 3]).as_json()
        case "counts in a list":
            flat = mask.pixels.T.reshape(-1)
            edges = np.flatnonzero(np.diff(flat, prepend=False))
            counts = np.diff(edges, prepend=0, append=flat.size)
            row["segmentation"] = {"size": [height, width], "counts": counts.tolist()}


def box_of_row(bbox: list[float]) -> TrueBox:
    """The corners of x, y, width, height."""
    x, y, width, height = bbox
    return x, y, x + width, y + height


def half_of(mask: Mask, *, upper: bool) -> Mask:
    """The part of a mask above, or below, the middle of its box."""
    _, y, _, height = mask.bbox
    rows = np.arange(mask.size[0]) < y + height // 2
    return encode(mask.pixels & (rows if upper else ~rows)[:, None])


def sliver_of(mask: Mask) -> Mask:
    """The middle column of a mask."""
    columns = np.flatnonzero(mask.pixels.any(axis=0))
    middle = np.arange(mask.size[1]) == columns[columns.size // 2]
    return encode(mask.pixels & middle)
