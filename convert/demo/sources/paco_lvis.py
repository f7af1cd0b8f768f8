"""PACO-LVIS: objects with attributes, and parts that name their object."""

from convert.demo.files.coco import header
from convert.demo.files.write import write_json
from convert.demo.scene.compose import Thing
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.sources.parts import (
    OTHER_FORMS,
    ROW_DEFECTS,
    PartsFile,
    box_of_row,
    half_of,
    rows_of,
    spoil,
)
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth

_OBJECTS = {
    "ball": (41, "ball"), "balloon": (42, "balloon"), "book": (127, "book"),
    "bottle": (133, "bottle"), "box": (143, "box"), "kite": (611, "kite"),
    "lamp": (626, "lamp"), "leaf": (640, "leaf_(plant)"), "mug": (708, "mug"),
    "pear": (785, "pear"), "star": (1012, "star_(figure)"), "umbrella": (1133, "umbrella"),
    "vase": (1139, "vase"),
}  # fmt: skip
"""Kind -> (id, name): upstream's if it has them, otherwise similar ones."""
_PARTS = {
    "book": (2128, "book:cover"), "box": (2260, "box:lid"), "vase": (2284, "vase:mouth"),
    "bottle": (2285, "bottle:neck"), "mug": (2318, "mug:rim"), "lamp": (2354, "lamp:shade"),
    "star": (2440, "star_(figure):tip"),
}  # fmt: skip
"""Kind -> (id, name) of its upper part. Other kinds have no parts."""
_SHADES = (
    "black", "light_blue", "blue", "dark_blue", "light_brown", "brown", "dark_brown",
    "light_green", "green", "dark_green", "light_grey", "grey", "dark_grey", "light_orange",
    "orange", "dark_orange", "light_pink", "pink", "dark_pink", "light_purple", "purple",
    "dark_purple", "light_red", "red", "dark_red", "white", "light_yellow", "yellow",
    "dark_yellow", "other(color)",
)  # fmt: skip
_PATTERNS = (
    "plain", "striped", "dotted", "checkered", "woven", "studded", "perforated", "floral",
    "other(pattern_marking)", "logo", "text",
)  # fmt: skip
_MATERIALS = (
    "stone", "wood", "rattan", "fabric", "crochet", "wool", "leather", "velvet", "metal", "paper",
    "plastic", "glass", "ceramic", "other(material)",
)  # fmt: skip
_CLARITIES = ("opaque", "translucent", "transparent", "other(transparency)")
_TYPES = {
    "color": _SHADES, "pattern_marking": _PATTERNS, "material": _MATERIALS,
    "transparency": _CLARITIES,
}  # fmt: skip
_ATTRIBUTES = tuple(name for names in _TYPES.values() for name in names)
_MADE_OF = {"book": "paper", "bottle": "glass", "mug": "ceramic", "vase": "ceramic", "box": "wood"}

_ROOT = "Semantic_Segm/paco_lvis/annotations"
_SPLITS = ("train", "val", "test")
_FIRST = 247_912
_DEFECTS = {**ROW_DEFECTS, "part without object": "AnnotationError"}


def draw_paco_lvis(options: DrawOptions) -> Truth:
    """Draw three annotation files and photos. Photos of test are in both COCO folders."""
    files = {split: PartsFile() for split in _SPLITS}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, *_DEFECTS, *OTHER_FORMS)
    for drawn in plan_photos(options, "coco", _FIRST, _SPLITS, defects):
        # Test gets every eighth photo. Every second of them is in val2017.
        folder = "val2017" if drawn.split == "test" and drawn.number // 8 % 2 else "train2017"
        key = f"{drawn.number:012d}"
        photo = f"coco_2017/{folder}/{key}.jpg"
        drawn.save(options.root / photo)
        file = files[drawn.split]
        if drawn.defect != "photo not listed":
            file.images.append(_paco_image(drawn, f"{folder}/{key}.jpg"))
        regions = _annotate_paco(file, drawn)
        error = drawn.error or _DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, regions=regions))
    for split, file in files.items():
        path = options.root / _ROOT / f"paco_lvis_v1_{split}.json"
        write_json(path, {**header(), **_paco_lists(split), **rows_of(file)})
    for folder in ("train2017", "val2017"):
        (options.root / "coco_2017" / folder).mkdir(parents=True, exist_ok=True)
    return Truth("paco_lvis", tuple(samples), tuple(rejects))


def _paco_lists(split: str) -> dict[str, object]:
    places = range(len(_ATTRIBUTES))
    parts = sorted({name.partition(":")[2] for _, name in _PARTS.values()})
    return {
        "categories": [
            {"supercategory": group, "id": number, "name": name}
            for group, table in (("OBJECT", _OBJECTS), ("PART", _PARTS))
            for number, name in table.values()
        ],
        "part_categories": [{"id": n, "name": name} for n, name in enumerate(parts)],
        "attributes": [
            {"id": n, "name": name} for n, name in zip(places, _ATTRIBUTES, strict=True)
        ],
        "attr_type_to_attr_idxs": {
            kind: [n for n in places if _ATTRIBUTES[n] in names] for kind, names in _TYPES.items()
        },
        **({"queries": []} if split == "test" else {}),
    }


def _paco_image(drawn: DrawnPhoto, file_name: str) -> dict[str, object]:
    height, width = drawn.annotated_size
    lists = ("neg_category_ids", "not_exhaustive_category_ids")
    return {
        "id": drawn.number,
        "file_name": file_name,
        "coco_url": f"http://images.example/{file_name}",
        "width": width,
        "height": height,
        **{f"{name}{suffix}": [] for name in lists for suffix in ("", "_attrs")},
        "license": 3,
    }


def _annotate_paco(file: PartsFile, drawn: DrawnPhoto) -> tuple[TrueRegion, ...]:
    """Regions of objects and parts. In every other photo the parts are first."""
    things, masks = drawn.scene.things, drawn.scene.masks()
    wholes = [(number, False) for number in range(len(things))]
    halves = [
        (number, True) for number, thing in enumerate(things)
        if thing.kind in _PARTS and half_of(masks[number], upper=True).area
    ]  # fmt: skip
    order = halves + wholes if drawn.number % 2 else wholes + halves
    regions: list[TrueRegion] = []
    for number, is_part in order:
        thing, first = things[number], not regions
        mask = half_of(masks[number], upper=True) if is_part else masks[number]
        category, name = (_PARTS if is_part else _OBJECTS)[thing.kind]
        attributes = _attributes(thing, number, is_part=is_part)
        bare = drawn.number % 3 == 0 and (number, is_part) == order[-1]
        object_id = drawn.number * 100 + number
        row: dict[str, object] = {
            "id": object_id + 50 * is_part,
            "bbox": mask.bbox,
            "area": float(mask.area),
            "category_id": category,
            "image_id": drawn.number,
            "segmentation": [] if bare else mask.as_json(),
            **_looks(attributes),
            "obj_ann_id": object_id,
        }
        if drawn.defect == "polygons" and (number, is_part) == wholes[0]:
            row["segmentation"] = [list(ring) for ring in thing.rings]
        if first:
            spoil(row, drawn.defect, mask)
        file.annotations.append(row)
        parent = order.index((number, False)) if is_part else None
        runs = None if bare else mask
        regions.append(
            TrueRegion((name,), box_of_row(mask.bbox), runs, (), name, attributes, parent)
        )
    if drawn.defect == "part without object":
        _add_stray_part(file, drawn)
    return tuple(regions)


def _add_stray_part(file: PartsFile, drawn: DrawnPhoto) -> None:
    missing = drawn.number * 100 + 99
    last = file.annotations[-1]
    file.annotations.append({**last, "id": missing + 100_000_000_000, "obj_ann_id": missing})


def _attributes(thing: Thing, number: int, *, is_part: bool) -> tuple[str, ...]:
    """Attributes of a thing or a part. Every second part has none."""
    if is_part:
        return (thing.colour,) if number % 2 else ()
    made_of = (_MADE_OF[thing.kind],) if thing.kind in _MADE_OF else ()
    return (thing.colour, "plain", *made_of, "opaque")


def _looks(attributes: tuple[str, ...]) -> dict[str, object]:
    numbers = [_ATTRIBUTES.index(name) for name in attributes]
    return {
        "attribute_ids": numbers,
        "dom_color_ids": [n for n in numbers if n < len(_SHADES)],
        **{f"unknown_{kind}": int(not {*attributes} & {*names}) for kind, names in _TYPES.items()},
    }
