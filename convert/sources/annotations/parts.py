"""Objects and their parts in COCO's form: PACO-LVIS and PASCAL-Part.

Layouts: facebookresearch/paco, `paco_lvis_v1_*.json`; facebookresearch/VLPart,
`tools/pascal_part_mat2json.py`, whose files lack `info`, attributes and the objects of parts.
"""

from collections.abc import Iterator, Mapping

import msgspec

from convert.errors import AnnotationError
from convert.geometry import box_from_xywh
from convert.record import Paths, RawRegion, Record
from convert.sources.annotations.coco import (
    CocoCategory,
    CocoImage,
    parse_segmentation,
    photo_paths,
)
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot


class _FileRow(msgspec.Struct, frozen=True):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    segmentation: msgspec.Raw
    attribute_ids: tuple[int, ...] = ()
    obj_ann_id: int | None = None
    iscrowd: int = 0


class _File(msgspec.Struct, frozen=True):
    images: list[CocoImage]
    annotations: list[_FileRow]
    categories: list[CocoCategory]
    attributes: list[CocoCategory] = []


class _Thing(msgspec.Struct, frozen=True, array_like=True):
    id: int
    category: str
    bbox: tuple[float, float, float, float]
    segmentation: bytes
    attributes: tuple[str, ...]
    object_id: int | None
    crowd: bool


class _Data(msgspec.Struct, frozen=True, array_like=True):
    image_id: int
    image: CocoImage | None
    things: list[_Thing]


_decoder = msgspec.msgpack.Decoder(_Data)


def scan(root: DataRoot, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, data) of each photo, with its objects and parts."""
    file = read_json(root, path, _File)
    categories = {row.id: row.name for row in file.categories}
    attributes = {row.id: row.name for row in file.attributes}
    photos = {image.id: _Data(image.id, image, []) for image in file.images}
    for row in file.annotations:
        data = photos.setdefault(row.image_id, _Data(row.image_id, None, []))
        data.things.append(_thing(row, categories, attributes))
    for data in photos.values():
        yield f"{data.image_id:012d}", msgspec.msgpack.encode(data)


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = _decoder.decode(data)
    if photo.image is None:
        raise AnnotationError(
            f"annotation {photo.things[0].id} is about image {photo.image_id}, which `images` lacks"
        )
    numbers = {thing.id: number for number, thing in enumerate(photo.things)}
    regions: list[RawRegion] = []
    notes: list[str] = []
    for thing in photo.things:
        region, region_notes = _region(thing, numbers)
        regions.append(region)
        notes += region_notes
    return Record(
        photo=photo_paths(folders, photo.image.file_name),
        file=photo.image.file_name,
        size=photo.image.size,
        ids={"image_id": photo.image_id},
        regions=tuple(regions),
        notes=tuple(notes),
    )


def _thing(row: _FileRow, categories: dict[int, str], attributes: dict[int, str]) -> _Thing:
    return _Thing(
        id=row.id,
        category=categories.get(row.category_id, ""),
        bbox=row.bbox,
        segmentation=bytes(row.segmentation),
        attributes=tuple(attributes.get(number, str(number)) for number in row.attribute_ids),
        object_id=row.obj_ann_id,
        crowd=bool(row.iscrowd),
    )


def _region(thing: _Thing, numbers: Mapping[int, int]) -> tuple[RawRegion, tuple[str, ...]]:
    """(region, notes). An object has its own id as `object_id`; a part has another's."""
    if not thing.category:
        raise AnnotationError(f"annotation {thing.id} has a category that `categories` lacks")
    part = thing.object_id is not None and thing.object_id != thing.id
    if part and thing.object_id not in numbers:
        raise AnnotationError(
            f"annotation {thing.id} is a part of {thing.object_id}, which is not in its photo"
        )
    masks, notes = parse_segmentation(thing.segmentation)
    region = RawRegion(
        phrases=(thing.category,),
        box=box_from_xywh(*thing.bbox),
        masks=masks,
        category=thing.category,
        attributes=(*thing.attributes, *(("crowd",) if thing.crowd else ())),
        parent=numbers[thing.object_id] if part and thing.object_id is not None else None,
        ids={"ann_id": thing.id},
    )
    return region, notes


PARTS = Layout(scan=scan, record=record)
