"""COCO-Stuff: label maps beside the photos of COCO's 2017 edition."""

import io

import numpy as np
from PIL import Image

from convert.demo.files.coco import TRAIN_2017, VAL_2017
from convert.demo.files.files import write_bytes
from convert.demo.scene.studies import MENDED, Brief, plan_studies
from convert.demo.truth import TrueReject, TrueSample, Truth, pack_labels

_LABELS = "Semantic_Segm/coco_stuff/{}2017"
_PHOTOS = {"train": TRAIN_2017, "val": VAL_2017}
_FIRST = 203_564
_VALUES = {
    "umbrella": 27, "ball": 36, "kite": 37, "bottle": 43, "mug": 46, "book": 83, "vase": 85,
    "floor": 117, "pear": 121, "grass": 123, "hill": 126, "leaf": 128, "lamp": 129, "sand": 153,
    "sea": 154, "shelf": 155, "sky": 156, "wall": 172, "post": 181,
}  # fmt: skip
"""Upstream's numbers, one less than in its list, whose first line is "unlabeled"."""
_UNLABELED = 255
SPOILT = ("missing", "truncated", "web page")
"""Photos' defects that show without an annotated size."""
LABEL_DEFECTS = {
    "label map of another size": "SizeMismatchError",
    "unknown value": "LabelMapError",
    "colours": "LabelMapError",
    "label map is a photo": "LabelMapError",
}


def draw_coco_stuff(brief: Brief) -> Truth:
    """Label maps and photos. Other sources' photos in the same folders have no label maps."""
    samples, rejects = [], []
    defects = (*SPOILT, *MENDED, *LABEL_DEFECTS)
    for study in plan_studies(brief, "coco", _FIRST, tuple(_PHOTOS), defects):
        key = f"{study.number:012d}"
        photo = f"{_PHOTOS[study.split]}/{key}.jpg"
        study.save(brief.root / photo)
        numbers = [_VALUES.get(name, _UNLABELED) for name in study.scene.names()]
        values = np.array(numbers, np.uint8)[study.scene.layers()]
        content = encode_labels(Image.fromarray(values), study.defect)
        write_bytes(brief.root / _LABELS.format(study.split) / f"{key}.png", content)
        error = study.error or LABEL_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            labels = pack_labels(values)
            samples.append(TrueSample(key, study.split, photo, study.size, label_map=labels))
    for split, folder in _PHOTOS.items():
        for place in (folder, _LABELS.format(split)):
            (brief.root / place).mkdir(parents=True, exist_ok=True)
    return Truth("coco_stuff", tuple(samples), tuple(rejects))


def encode_labels(image: Image.Image, defect: str) -> bytes:
    """A label map's file, with its defect."""
    match defect:
        case "label map of another size":
            image = image.crop((0, 0, image.width - 3, image.height))
        case "unknown value":
            image.putpixel((5, 5), 200)
        case "colours" | "label map is a photo":
            image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG" if defect == "label map is a photo" else "PNG")
    return out.getvalue()
