"""ADE20K, the SceneParsing edition: photos and label maps in parallel folders."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convert.demo.files.write import write_bytes
from convert.demo.scene.compose import Scene
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueReject, TrueSample, Truth, pack_labels

_ROOT = "Semantic_Segm/ade20k"
_FOLDERS = {"train": "training", "val": "validation"}
_VALUES = {
    "wall": 1, "sky": 3, "floor": 4, "grass": 10, "shelf": 25, "sea": 27, "lamp": 37, "box": 42,
    "sand": 47, "book": 68, "hill": 69, "post": 94, "bottle": 99, "ball": 120, "vase": 136,
}  # fmt: skip
"""Upstream's class numbers. Everything else is 0, "other objects"."""
_IGNORE = 255
_LABEL_DEFECTS = {
    "label map of another size": "SizeMismatchError",
    "unknown value": "LabelMapError",
    "colours": "LabelMapError",
    "no label map": "LabelMapError",
}
_PHOTO_DEFECTS = ("missing", "truncated", "web page")


def draw_ade20k(options: DrawOptions) -> Truth:
    """Draw photos, label maps, and the .DS_Store that every download has."""
    samples, rejects = [], []
    defects = (*_PHOTO_DEFECTS, *REPAIRABLE, *_LABEL_DEFECTS)
    for drawn in plan_photos(options, "ade", 1, ("train", "val"), defects):
        stem = f"ADE_{drawn.split}_{drawn.number:08d}"
        folder = _FOLDERS[drawn.split]
        photo = f"{_ROOT}/images/{folder}/{stem}.jpg"
        drawn.save(options.root / photo)
        values = label(drawn.scene)
        content = _encode(values, drawn)
        if content is not None:
            write_bytes(options.root / f"{_ROOT}/annotations/{folder}/{stem}.png", content)
        error = REJECTED.get(drawn.defect) or _LABEL_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(stem, drawn.split, error))
        else:
            ids = np.where(values == 0, _IGNORE, values - 1).astype(np.uint8)
            truth = TrueSample(stem, drawn.split, photo, drawn.size, label_map=pack_labels(ids))
            samples.append(truth)
    for folder in _FOLDERS.values():
        write_bytes(options.root / f"{_ROOT}/images/{folder}/.DS_Store", b"\0")
        (options.root / f"{_ROOT}/annotations/{folder}").mkdir(parents=True, exist_ok=True)
    return Truth("ade20k", tuple(samples), tuple(rejects))


def label(scene: Scene) -> NDArray[np.uint8]:
    """Uint8 [height, width]: upstream's class number of each pixel."""
    values = np.array([_VALUES.get(name, 0) for name in scene.names()], np.uint8)
    labels: NDArray[np.uint8] = values[scene.layers()]
    return labels


def _encode(values: NDArray[np.uint8], drawn: DrawnPhoto) -> bytes | None:
    image = Image.fromarray(values)
    match drawn.defect:
        case "no label map":
            return None
        case "label map of another size":
            image = image.crop((0, 0, image.width - 3, image.height))
        case "unknown value":
            image.putpixel((5, 5), 200)
        case "colours":
            image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
