"""Mapillary Vistas 2.0: photos of streets, and label maps with an ambiguous palette."""

import base64
import hashlib

import numpy as np
from PIL import Image

from convert.demo.files.write import write_bytes, write_json
from convert.demo.scene.photos import REPAIRABLE, DrawOptions, plan_photos
from convert.demo.sources.coco_stuff import LABEL_DEFECTS, PHOTO_DEFECTS, encode_labels
from convert.demo.sources.mapillary_labels import LABELS
from convert.demo.truth import TrueReject, TrueSample, Truth, pack_labels

_ROOT = "Semantic_Segm/mapillary"
_FOLDERS = {"train": "training", "val": "validation"}
_NAMES = {
    "kite": "Bird", "wall": "Wall", "floor": "Sidewalk", "hill": "Mountain", "sand": "Sand",
    "sky": "Sky", "grass": "Vegetation", "leaf": "Vegetation", "sea": "Water",
    "box": "Junction Box", "lamp": "Street Light", "post": "Pole", "shelf": "Bench",
    "balloon": "Dynamic", "ball": "Dynamic", "bottle": "Static", "mug": "Static",
}  # fmt: skip
"""Mapillary's labels for things. Everything else is "Unlabeled", which is a label."""
_UNLABELED = "Unlabeled"
_GROUPS = (
    (2, "animal"), (30, "construction"), (35, "human"), (59, "marking"), (66, "nature"),
    (118, "object"), (124, "void"),
)  # fmt: skip
"""(end, name): upstream's labels are sorted by group."""
_COUNTED = {"animal", "human", "marking", "object"}
_LABEL_DEFECTS = {**LABEL_DEFECTS, "no label map": "LabelMapError"}
_STARTS = ("", "-", "_", "__")


def draw_mapillary(options: DrawOptions) -> Truth:
    """Draw photos, label maps and the list of labels. Some names start with a dash."""
    numbers = {name: value for value, (name, _) in enumerate(LABELS)}
    samples, rejects = [], []
    defects = (*PHOTO_DEFECTS, *REPAIRABLE, *_LABEL_DEFECTS)
    for drawn in plan_photos(options, "street", 1, tuple(_FOLDERS), defects):
        stem, folder = _stem(drawn.number), _FOLDERS[drawn.split]
        photo = f"{_ROOT}/{folder}/images/{stem}.jpg"
        drawn.save(options.root / photo)
        seen = [numbers[_NAMES.get(name, _UNLABELED)] for name in drawn.scene.names()]
        values = np.array(seen, np.uint8)[drawn.scene.layers()]
        if drawn.defect != "no label map":
            content = encode_labels(_with_palette(Image.fromarray(values)), drawn.defect)
            write_bytes(options.root / f"{_ROOT}/{folder}/v2.0/labels/{stem}.png", content)
        error = drawn.error or _LABEL_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(stem, drawn.split, error))
        else:
            labels = pack_labels(values)
            samples.append(TrueSample(stem, drawn.split, photo, drawn.size, label_map=labels))
    for folder in _FOLDERS.values():
        for path in ("images", "v2.0/labels"):
            (options.root / f"{_ROOT}/{folder}/{path}").mkdir(parents=True, exist_ok=True)
    write_json(options.root / f"{_ROOT}/config_v2.0.json", _config())
    return Truth("mapillary", tuple(samples), tuple(rejects))


def _stem(number: int) -> str:
    """A name like upstream's: 16 bytes in URL-safe base 64, 22 characters."""
    digest = hashlib.blake2b(str(number).encode("ascii"), digest_size=16).digest()
    name = base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
    start = _STARTS[number % len(_STARTS)]
    return start + name[len(start) :]


def _with_palette(image: Image.Image) -> Image.Image:
    colours = [channel for _, colour in LABELS for channel in colour.to_bytes(3, "big")]
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


def _config() -> dict[str, object]:
    labels = []
    for value, (name, colour) in enumerate(LABELS):
        group = next(group for end, group in _GROUPS if value < end)
        words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
        labels.append(
            {
                "color": list(colour.to_bytes(3, "big")),
                "instances": group in _COUNTED,
                "readable": name,
                "name": f"{group}--{'-'.join(words)}",
                "evaluate": group != "void",
            }
        )
    return {
        "labels": labels,
        "version": "2.0",
        "mapping": "public",
        "folder_structure": "{split}/{content:s}/{image_id:s}.{extension:s}",
    }
