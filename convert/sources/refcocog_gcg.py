"""RefCOCOg turned into grounded captions by GranD-f: polygons, and phrases without offsets.

Layout: MBZUAI/GranD-f, `RefCOCOg_GCG_*.json`, a list of `{id: {img_file_name, caption, refs}}`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from convert.files import DataRoot
from convert.formats.coco import parse_segmentation, photo_places
from convert.formats.grounded_captions import strip_caption
from convert.formats.phrases import find_spans
from convert.formats.typed_json import read_json
from convert.record import Places, RawRegion, Record
from convert.source import Item, Need, make_id, needs_by_split, ready_splits
from shards.sample import Span


class _FileRef(msgspec.Struct, frozen=True):
    sentence: str
    segmentation: msgspec.Raw


class _FileRow(msgspec.Struct, frozen=True):
    img_file_name: str
    caption: str
    refs: list[_FileRef]


class _Row(msgspec.Struct, frozen=True, array_like=True):
    id: str
    caption: str
    sentences: tuple[str, ...]
    segmentations: tuple[bytes, ...]


class _Data(msgspec.Struct, frozen=True, array_like=True):
    file: str
    rows: list[_Row]


_decoder = msgspec.msgpack.Decoder(_Data)


@dataclass(frozen=True)
class RefcocogGcg:
    """The files and the photos they are about.

    Attributes:
        rows: split -> places of `RefCOCOg_GCG_<split>.json`.
        photos: split -> folders its photos may be in.
    """

    rows: Mapping[str, Places]
    photos: Mapping[str, Places]
    table: ClassVar[None] = None

    @property
    def splits(self) -> tuple[str, ...]:
        """As configured."""
        return tuple(self.rows)

    def needs(self) -> tuple[Need, ...]:
        """A file and a folder for each split."""
        return needs_by_split({"rows": self.rows, "photos": self.photos})

    def scan(self, root: DataRoot) -> Iterator[Item]:
        """One item per photo, with all captions about it."""
        for split in ready_splits(self, root):
            place = root.find(self.rows[split]) or ""
            photos: dict[str, _Data] = {}
            for wrapped in read_json(root, place, list[dict[str, _FileRow]]):
                for row_id, row in wrapped.items():
                    data = photos.setdefault(row.img_file_name, _Data(row.img_file_name, []))
                    data.rows.append(_row(row_id, row))
            for data in photos.values():
                stem = PurePosixPath(data.file).stem
                yield Item(make_id(stem), split, msgspec.msgpack.encode(data))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item carries its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        data = _decoder.decode(item.data)
        captions = tuple(strip_caption(row.caption) for row in data.rows)
        regions: list[RawRegion] = []
        notes: list[str] = []
        for number, (row, caption) in enumerate(zip(data.rows, captions, strict=True)):
            spans = find_spans(row.sentences, caption)
            for sentence, raw, span in zip(row.sentences, row.segmentations, spans, strict=True):
                masks, found = parse_segmentation(raw)
                notes += found
                if span is None:
                    notes.append("phrase does not stand in its caption")
                where = (Span(number, *span),) if span else ()
                regions.append(RawRegion(phrases=(sentence,), masks=masks, spans=where))
        return Record(
            photo=photo_places(self.photos[item.split], data.file),
            file=data.file,
            ids={"row_ids": tuple(row.id for row in data.rows)},
            captions=captions,
            regions=tuple(regions),
            notes=tuple(notes),
        )


def _row(row_id: str, row: _FileRow) -> _Row:
    return _Row(
        id=row_id,
        caption=row.caption,
        sentences=tuple(ref.sentence for ref in row.refs),
        segmentations=tuple(bytes(ref.segmentation) for ref in row.refs),
    )
