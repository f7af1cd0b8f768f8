"""RefCOCOg turned into grounded captions by GranD-f: polygons, and phrases without offsets.

Layout: MBZUAI/GranD-f, `RefCOCOg_GCG_*.json`, a list of `{id: {img_file_name, caption, refs}}`.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from convert.record import Paths, RawRegion, Record
from convert.sources.annotations.coco import parse_segmentation, photo_paths
from convert.sources.annotations.grounded_captions import strip_caption
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.phrases import find_spans
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot
from convert.sources.source import make_id
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


def scan(root: DataRoot, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, data) of each photo, with all its captions."""
    photos: dict[str, _Data] = {}
    for wrapped in read_json(root, path, list[dict[str, _FileRow]]):
        for row_id, row in wrapped.items():
            data = photos.setdefault(row.img_file_name, _Data(row.img_file_name, []))
            data.rows.append(_row(row_id, row))
    for data in photos.values():
        stem = PurePosixPath(data.file).stem
        yield make_id(stem), msgspec.msgpack.encode(data)


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = _decoder.decode(data)
    captions = tuple(strip_caption(row.caption) for row in photo.rows)
    regions: list[RawRegion] = []
    notes: list[str] = []
    for number, (row, caption) in enumerate(zip(photo.rows, captions, strict=True)):
        spans = find_spans(row.sentences, caption)
        for sentence, raw, span in zip(row.sentences, row.segmentations, spans, strict=True):
            masks, mask_notes = parse_segmentation(raw)
            notes += mask_notes
            if span is None:
                notes.append("phrase does not stand in its caption")
            in_caption = (Span(number, *span),) if span else ()
            regions.append(RawRegion(phrases=(sentence,), masks=masks, spans=in_caption))
    return Record(
        photo=photo_paths(folders, photo.file),
        file=photo.file,
        ids={"row_ids": tuple(row.id for row in photo.rows)},
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


REFCOCOG_GCG = Layout(scan=scan, record=record)
