"""ADE20K, the SceneParsing edition: photos and label maps in parallel folders."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convert.demo.files.files import write_bytes
from convert.demo.scene.scene import Scene
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueReject, TrueSample, Truth, pack_labels

_ROOT = "Semantic_Segm/ade20k"
_FOLDERS = {"train": "training", "val": "validation"}
_VALUES = {
    "wall": 1, "sky": 3, "floor": 4, "grass": 10, "shelf": 25, "sea": 27, "lamp": 37, "box": 42,
    "sand": 47, "book": 68, "hill": 69, "post": 94, "bottle": 99, "ball": 120, "vase": 136,
}  # fmt: skip
"""Upstream's numbers of what it has names for; everything else is 0, "other objects"."""
_IGNORE = 255
_LABEL_DEFECTS = {
    "label map of another size": "SizeMismatchError",
    "unknown value": "LabelMapError",
    "colours": "LabelMapError",
    "no label map": "LabelMapError",
}
_SPOILT = ("missing", "truncated", "web page")


def draw_ade20k(brief: Brief) -> Truth:
    """Photos, label maps, and a stray file as there is one in every download."""
    samples, rejects = [], []
    defects = (*_SPOILT, *MENDED, *_LABEL_DEFECTS)
    for study in plan_studies(brief, "ade", 1, ("train", "val"), defects):
        stem = f"ADE_{study.split}_{study.number:08d}"
        folder = _FOLDERS[study.split]
        photo = f"{_ROOT}/images/{folder}/{stem}.jpg"
        study.save(brief.root / photo)
        values = label(study.scene)
        content = _encode(values, study)
        if content is not None:
            write_bytes(brief.root / f"{_ROOT}/annotations/{folder}/{stem}.png", content)
        error = REJECTED.get(study.defect) or _LABEL_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(stem, study.split, error))
        else:
            ids = np.where(values == 0, _IGNORE, values - 1).astype(np.uint8)
            truth = TrueSample(stem, study.split, photo, study.size, label_map=pack_labels(ids))
            samples.append(truth)
    for folder in _FOLDERS.values():
        write_bytes(brief.root / f"{_ROOT}/images/{folder}/.DS_Store", b"\0")
        (brief.root / f"{_ROOT}/annotations/{folder}").mkdir(parents=True, exist_ok=True)
    return Truth("ade20k", tuple(samples), tuple(rejects))


def label(scene: Scene) -> NDArray[np.uint8]:
    """Uint8 [height, width]: upstream's number of what is seen at each pixel."""
    values = np.array([_VALUES.get(name, 0) for name in scene.names()], np.uint8)
    labels: NDArray[np.uint8] = values[scene.layers()]
    return labels


def _encode(values: NDArray[np.uint8], study: Study) -> bytes | None:
    image = Image.fromarray(values)
    match study.defect:
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
