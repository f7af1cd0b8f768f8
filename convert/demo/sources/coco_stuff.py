"""COCO-Stuff: label maps beside the photos of COCO's 2017 edition."""

import io

import numpy as np
from PIL import Image

from convert.demo.files.coco import TRAIN_2017, VAL_2017
from convert.demo.files.write import write_bytes
from convert.demo.scene.photos import REPAIRABLE, DrawOptions, plan_photos
from convert.demo.truth import TrueReject, TrueSample, Truth, pack_labels

_LABELS = "Semantic_Segm/coco_stuff/{}2017"
_PHOTOS = {"train": TRAIN_2017, "val": VAL_2017}
_FIRST = 203_564
_VALUES = {
    "umbrella": 27, "ball": 36, "kite": 37, "bottle": 43, "mug": 46, "book": 83, "vase": 85,
    "floor": 117, "pear": 121, "grass": 123, "hill": 126, "leaf": 128, "lamp": 129, "sand": 153,
    "sea": 154, "shelf": 155, "sky": 156, "wall": 172, "post": 181,
}  # fmt: skip
"""Upstream's class numbers: one less than in its list, which starts with "unlabeled"."""
_UNLABELED = 255
PHOTO_DEFECTS = ("missing", "truncated", "web page")
"""Defects of photos that can be detected without an annotated size."""
LABEL_DEFECTS = {
    "label map of another size": "SizeMismatchError",
    "unknown value": "LabelMapError",
    "colours": "LabelMapError",
    "label map is a photo": "LabelMapError",
}


def draw_coco_stuff(options: DrawOptions) -> Truth:
    """Draw label maps and photos. Other photos in the same folders have no label maps."""
    samples, rejects = [], []
    defects = (*PHOTO_DEFECTS, *REPAIRABLE, *LABEL_DEFECTS)
    for drawn in plan_photos(options, "coco", _FIRST, tuple(_PHOTOS), defects):
        key = f"{drawn.number:012d}"
        photo = f"{_PHOTOS[drawn.split]}/{key}.jpg"
        drawn.save(options.root / photo)
        numbers = [_VALUES.get(name, _UNLABELED) for name in drawn.scene.names()]
        values = np.array(numbers, np.uint8)[drawn.scene.layers()]
        content = encode_labels(Image.fromarray(values), drawn.defect)
        write_bytes(options.root / _LABELS.format(drawn.split) / f"{key}.png", content)
        error = drawn.error or LABEL_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            labels = pack_labels(values)
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, label_map=labels))
    for split, folder in _PHOTOS.items():
        for path in (folder, _LABELS.format(split)):
            (options.root / path).mkdir(parents=True, exist_ok=True)
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
