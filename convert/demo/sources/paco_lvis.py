"""PACO-LVIS: things with their looks, and parts that name their thing."""

from convert.demo.files.coco import header
from convert.demo.files.files import write_json
from convert.demo.scene.scene import Thing
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
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
"""Kind -> (id, name): upstream's where it has them, else of the same sort."""
_PARTS = {
    "book": (2128, "book:cover"), "box": (2260, "box:lid"), "vase": (2284, "vase:mouth"),
    "bottle": (2285, "bottle:neck"), "mug": (2318, "mug:rim"), "lamp": (2354, "lamp:shade"),
    "star": (2440, "star_(figure):tip"),
}  # fmt: skip
"""The upper part of a kind; the others have none."""
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


def draw_paco_lvis(brief: Brief) -> Truth:
    """Three annotation files and photos; those of test are in both of COCO's folders."""
    files = {split: PartsFile() for split in _SPLITS}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *_DEFECTS, *OTHER_FORMS)
    for study in plan_studies(brief, "coco", _FIRST, _SPLITS, defects):
        # Test gets every eighth photo: of those, every second.
        folder = "val2017" if study.split == "test" and study.number // 8 % 2 else "train2017"
        key = f"{study.number:012d}"
        photo = f"coco_2017/{folder}/{key}.jpg"
        study.save(brief.root / photo)
        file = files[study.split]
        if study.defect != "photo not listed":
            file.images.append(_paco_image(study, f"{folder}/{key}.jpg"))
        regions = _annotate_paco(file, study)
        error = study.error or _DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            samples.append(TrueSample(key, study.split, photo, study.size, regions=regions))
    for split, file in files.items():
        place = brief.root / _ROOT / f"paco_lvis_v1_{split}.json"
        write_json(place, {**header(), **_paco_lists(split), **rows_of(file)})
    for folder in ("train2017", "val2017"):
        (brief.root / "coco_2017" / folder).mkdir(parents=True, exist_ok=True)
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


def _paco_image(study: Study, file_name: str) -> dict[str, object]:
    height, width = study.annotated_size
    lists = ("neg_category_ids", "not_exhaustive_category_ids")
    return {
        "id": study.number,
        "file_name": file_name,
        "coco_url": f"http://images.example/{file_name}",
        "width": width,
        "height": height,
        **{f"{name}{suffix}": [] for name in lists for suffix in ("", "_attrs")},
        "license": 3,
    }


def _annotate_paco(file: PartsFile, study: Study) -> tuple[TrueRegion, ...]:
    """Objects and parts, in every other photo the parts first; some have a box but no mask."""
    things, masks = study.scene.things, study.scene.masks()
    wholes = [(number, False) for number in range(len(things))]
    halves = [
        (number, True) for number, thing in enumerate(things)
        if thing.kind in _PARTS and half_of(masks[number], upper=True).area
    ]  # fmt: skip
    order = halves + wholes if study.number % 2 else wholes + halves
    regions: list[TrueRegion] = []
    for number, is_part in order:
        thing, first = things[number], not regions
        mask = half_of(masks[number], upper=True) if is_part else masks[number]
        category, name = (_PARTS if is_part else _OBJECTS)[thing.kind]
        attributes = _attributes(thing, number, is_part=is_part)
        bare = study.number % 3 == 0 and (number, is_part) == order[-1]
        object_id = study.number * 100 + number
        row: dict[str, object] = {
            "id": object_id + 50 * is_part,
            "bbox": mask.bbox,
            "area": float(mask.area),
            "category_id": category,
            "image_id": study.number,
            "segmentation": [] if bare else mask.as_json(),
            **_looks(attributes),
            "obj_ann_id": object_id,
        }
        if study.defect == "polygons" and (number, is_part) == wholes[0]:
            row["segmentation"] = [list(ring) for ring in thing.rings]
        if first:
            spoil(row, study.defect, mask)
        file.annotations.append(row)
        parent = order.index((number, False)) if is_part else None
        runs = None if bare else mask
        regions.append(
            TrueRegion((name,), box_of_row(mask.bbox), runs, (), name, attributes, parent)
        )
    if study.defect == "part without object":
        lost = study.number * 100 + 99
        last = file.annotations[-1]
        file.annotations.append({**last, "id": lost + 100_000_000_000, "obj_ann_id": lost})
    return tuple(regions)


def _attributes(thing: Thing, number: int, *, is_part: bool) -> tuple[str, ...]:
    """Of every second part, nobody said anything."""
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
