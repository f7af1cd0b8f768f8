"""Flickr30k's sentences with boxes for their words, and GranD-f's copy with masks.

Layouts: ashkamath/mdetr, `final_flickr_mergedGT_*.json`; MBZUAI/GranD-f,
`flickr_mergedGT_GCG_*.json`, which adds a `sam_mask` to every box.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from convert.errors import SpanError
from convert.files import DataRoot, join_places
from convert.formats.coco import parse_segmentation
from convert.formats.mdetr import BoxData, expect_rows, photo_decoder, read_photos
from convert.geometry import box_from_xywh
from convert.record import Places, RawRegion, Record
from convert.source import Item, Need, make_id, needs_by_split, ready_splits
from shards.sample import Size, Span


@dataclass(frozen=True)
class Sentences:
    """Files in which a row is a sentence, and the photos they are about.

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
        return needs_by_split({"sentences": self.annotations, "photos": self.photos})

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
        regions: list[RawRegion] = []
        notes: list[str] = []
        for number, sentence in enumerate(photo.sentences):
            for box in sentence.boxes:
                region, found = _region(box, number, sentence.caption)
                regions.append(region)
                notes += found
        first = photo.sentences[0]
        return Record(
            photo=join_places(self.photos[item.split], photo.file),
            file=photo.file,
            size=Size(first.height, first.width),
            ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
            captions=tuple(sentence.caption for sentence in photo.sentences),
            regions=tuple(regions),
            notes=tuple(notes),
        )


def _region(box: BoxData, number: int, caption: str) -> tuple[RawRegion, tuple[str, ...]]:
    """A box means every span that upstream gives it, not only the first."""
    if any(not 0 <= start < stop <= len(caption) for start, stop in box.tokens):
        raise SpanError(f"annotation {box.id}: {box.tokens} of a caption of {len(caption)}")
    masks, notes = parse_segmentation(box.sam_mask) if box.sam_mask else ((), ())
    region = RawRegion(
        phrases=tuple(caption[start:stop] for start, stop in box.tokens),
        box=box_from_xywh(*box.bbox),
        masks=masks,
        spans=tuple(Span(number, start, stop) for start, stop in box.tokens),
        category=box.category,
        attributes=("crowd",) if box.crowd else (),
        ids={"ann_id": box.id},
    )
    return region, notes
