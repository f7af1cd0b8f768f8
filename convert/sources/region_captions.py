"""Visual Genome's regions in GRiT's form: boxes, each with a description of its own.

Layout: JialianW/GRiT, `train.json`; GLaMM's `test_caption.json`, where a row is a region.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from convert.files import DataRoot, join_places
from convert.formats.mdetr import expect_rows, photo_decoder, read_photos
from convert.geometry import box_from_xywh
from convert.record import Places, RawRegion, Record
from convert.source import Item, Need, make_id, needs_by_split, ready_splits
from shards.sample import Size


@dataclass(frozen=True)
class RegionCaptions:
    """Files in which a box has a caption, and the photos they are about.

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
        return needs_by_split({"regions": self.annotations, "photos": self.photos})

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
        regions = tuple(
            RawRegion(
                phrases=(box.caption.strip(),),
                box=box_from_xywh(*box.bbox),
                category=box.category,
                attributes=("crowd",) if box.crowd else (),
                ids={"ann_id": box.id},
            )
            for sentence in photo.sentences
            for box in sentence.boxes
        )
        return Record(
            photo=join_places(self.photos[item.split], photo.file),
            file=photo.file,
            size=Size(first.height, first.width),
            ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
            regions=regions,
        )
