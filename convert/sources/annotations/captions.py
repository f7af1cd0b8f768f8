"""COCO's captions: five to seven sentences per photo, no regions."""

from collections.abc import Iterator

import msgspec

from convert.errors import AnnotationError
from convert.record import Paths, Record
from convert.sources.annotations.coco import CaptionsFile, CocoCaption, CocoImage, photo_paths
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot


class _Data(msgspec.Struct, frozen=True, array_like=True):
    image_id: int
    image: CocoImage | None
    captions: tuple[CocoCaption, ...]


_decoder = msgspec.msgpack.Decoder(_Data)


def scan(root: DataRoot, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, data) of each photo, with all its captions."""
    file = read_json(root, path, CaptionsFile)
    captions: dict[int, list[CocoCaption]] = {image.id: [] for image in file.images}
    for row in file.annotations:
        captions.setdefault(row.image_id, []).append(row)
    images = {image.id: image for image in file.images}
    for image_id, rows in captions.items():
        data = _Data(image_id, images.get(image_id), tuple(rows))
        yield f"{image_id:012d}", msgspec.msgpack.encode(data)


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = _decoder.decode(data)
    if photo.image is None:
        raise AnnotationError(
            f"caption {photo.captions[0].id} is about image {photo.image_id}, which `images` lacks"
        )
    stripped = tuple(row.caption.strip() for row in photo.captions)
    changed = sum(s != row.caption for s, row in zip(stripped, photo.captions, strict=True))
    return Record(
        photo=photo_paths(folders, photo.image.file_name),
        file=photo.image.file_name,
        size=photo.image.size,
        ids={
            "image_id": photo.image_id,
            "caption_ids": tuple(row.id for row in photo.captions),
        },
        captions=stripped,
        notes=("caption stripped of white space",) * changed,
    )


CAPTIONS = Layout(scan=scan, record=record)
