"""RefCOCO's expressions in MDETR's form: boxes of a photo and everything said to tell them apart.

Layout: ashkamath/mdetr, `finetune_{refcoco,refcoco+,refcocog}_{train,val}.json`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from convert.errors import AnnotationError
from convert.files import DataRoot
from convert.formats.coco import photo_places
from convert.formats.mdetr import BoxData, PhotoData, expect_rows, photo_decoder, read_photos
from convert.geometry import box_from_xywh
from convert.record import Places, RawRegion, Record
from convert.source import Item, Need, make_id, needs_by_split, ready_splits
from shards.sample import Size


@dataclass(frozen=True)
class Expressions:
    """Files in which a row is an expression, and the photos they are about.

    Attributes:
        annotations: split -> places of its file.
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
        """A file and a folder for each split."""
        return needs_by_split({"expressions": self.annotations, "photos": self.photos})

    def scan(self, root: DataRoot) -> Iterator[Item]:
        """One item per photo, with everything the file says about it."""
        for split in ready_splits(self, root):
            for photo in read_photos(root, root.find(self.annotations[split]) or ""):
                item_id = make_id(PurePosixPath(photo.file).stem)
                yield Item(item_id, split, msgspec.msgpack.encode(photo))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item carries its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        photo = expect_rows(photo_decoder.decode(item.data))
        first = photo.sentences[0]
        return Record(
            photo=photo_places(self.photos[item.split], photo.file),
            file=photo.file,
            size=Size(first.height, first.width),
            ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
            regions=tuple(_regions(photo)),
        )


def _regions(photo: PhotoData) -> Iterator[RawRegion]:
    """One per object of COCO, with its expressions in file order."""
    groups: dict[int, list[tuple[BoxData, str]]] = {}
    for sentence in photo.sentences:
        for box in sentence.boxes:
            # Its own id stands in where COCO's is not given: then nothing is known to be the same.
            thing = -1 - box.id if box.original_id is None else box.original_id
            groups.setdefault(thing, []).append((box, sentence.caption))
    for said in groups.values():
        first = said[0][0]
        if any(box.bbox != first.bbox for box, _ in said):
            raise AnnotationError(f"rows about object {first.original_id} give it several boxes")
        yield RawRegion(
            phrases=tuple(caption.strip() for _, caption in said),
            box=box_from_xywh(*first.bbox),
            category=first.category,
            ids={
                "ann_id": first.id if first.original_id is None else first.original_id,
                "row_ids": tuple(b.id for b, _ in said),
            },
        )
