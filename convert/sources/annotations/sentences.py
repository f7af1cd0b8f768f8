"""Flickr30k's sentences with boxes for their phrases, and GranD-f's copy with masks.

Layouts: ashkamath/mdetr, `final_flickr_mergedGT_*.json`; MBZUAI/GranD-f,
`flickr_mergedGT_GCG_*.json`, which adds a `sam_mask` to every box.
"""

from convert.errors import SpanError
from convert.geometry import box_from_xywh
from convert.record import Paths, RawRegion, Record
from convert.sources.annotations.coco import parse_segmentation
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.mdetr import BoxData, expect_rows, photo_decoder, scan_photos
from convert.sources.files import join_paths
from shards.sample import Size, Span


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = expect_rows(photo_decoder.decode(data))
    regions: list[RawRegion] = []
    notes: list[str] = []
    for number, sentence in enumerate(photo.sentences):
        for box in sentence.boxes:
            region, region_notes = _region(box, number, sentence.caption)
            regions.append(region)
            notes += region_notes
    first = photo.sentences[0]
    return Record(
        photo=join_paths(folders, photo.file),
        file=photo.file,
        size=Size(first.height, first.width),
        ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
        captions=tuple(sentence.caption for sentence in photo.sentences),
        regions=tuple(regions),
        notes=tuple(notes),
    )


def _region(box: BoxData, number: int, caption: str) -> tuple[RawRegion, tuple[str, ...]]:
    """(region, notes). A region has all spans of its box, not only the first."""
    if any(not 0 <= start < stop <= len(caption) for start, stop in box.tokens):
        raise SpanError(f"annotation {box.id}: {box.tokens} of a caption of {len(caption)}")
    masks, notes = parse_segmentation(box.sam_mask) if box.sam_mask else ((), ())
    region = RawRegion(
        phrases=tuple(caption[start:stop] for start, stop in box.tokens),
        box=box_from_xywh(*box.bbox),
        masks=masks,
        spans=tuple(Span(number, start, stop) for start, stop in box.tokens),
        category=box.category,
        attributes=box.attributes,
        ids={"ann_id": box.id},
    )
    return region, notes


SENTENCES = Layout(scan=scan_photos, record=record)
