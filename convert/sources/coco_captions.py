"""COCO's captions: five to seven sentences a photo, no regions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from convert.errors import AnnotationError
from convert.files import DataRoot
from convert.formats.coco import CaptionsFile, CocoCaption, CocoImage, photo_places
from convert.formats.typed_json import read_json
from convert.record import Places, Record
from convert.source import Item, Need, needs_by_split, ready_splits


class _Data(msgspec.Struct, frozen=True, array_like=True):
    image_id: int
    image: CocoImage | None
    captions: tuple[CocoCaption, ...]


_decoder = msgspec.msgpack.Decoder(_Data)


@dataclass(frozen=True)
class CocoCaptions:
    """Captions files and the photos they are about.

    Attributes:
        annotations: split -> places of `captions_<split>2017.json`.
        photos: split -> folders its photos may be in.
    """

    annotations: Mapping[str, Places]
    photos: Mapping[str, Places]
    table: ClassVar[None] = None

    @property
    def splits(self) -> tuple[str, ...]:
        """As configured."""
        return tuple(self.annotations)

    def needs(self) -> tuple[Need, ...]:
        """A file and a folder for each split; the photos of val are often not downloaded."""
        return needs_by_split({"captions": self.annotations, "photos": self.photos})

    def scan(self, root: DataRoot) -> Iterator[Item]:
        """One item per photo, with all its captions."""
        for split in ready_splits(self, root):
            file = read_json(root, root.find(self.annotations[split]) or "", CaptionsFile)
            captions: dict[int, list[CocoCaption]] = {image.id: [] for image in file.images}
            for row in file.annotations:
                captions.setdefault(row.image_id, []).append(row)
            images = {image.id: image for image in file.images}
            for image_id, rows in captions.items():
                data = _Data(image_id, images.get(image_id), tuple(rows))
                yield Item(f"{image_id:012d}", split, msgspec.msgpack.encode(data))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item carries its captions."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        data = _decoder.decode(item.data)
        if data.image is None:
            raise AnnotationError(
                f"caption {data.captions[0].id} is about image {data.image_id}, "
                f"which `images` does not list"
            )
        stripped = tuple(row.caption.strip() for row in data.captions)
        changed = sum(s != row.caption for s, row in zip(stripped, data.captions, strict=True))
        return Record(
            photo=photo_places(self.photos[item.split], data.image.file_name),
            file=data.image.file_name,
            size=data.image.size,
            ids={
                "image_id": data.image_id,
                "caption_ids": tuple(row.id for row in data.captions),
            },
            captions=stripped,
            notes=("caption stripped of white space",) * changed,
        )
