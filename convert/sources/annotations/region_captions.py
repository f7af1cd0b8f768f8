"""Visual Genome's regions in GRiT's form: boxes with descriptions.

Layout: JialianW/GRiT, `train.json`; GLaMM's `test_caption.json`, where a row is a region.
"""

from convert.geometry import box_from_xywh
from convert.record import Paths, RawRegion, Record
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.mdetr import expect_rows, photo_decoder, scan_photos
from convert.sources.files import join_paths
from shards.sample import Size


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = expect_rows(photo_decoder.decode(data))
    first = photo.sentences[0]
    regions = tuple(
        RawRegion(
            phrases=(box.caption.strip(),),
            box=box_from_xywh(*box.bbox),
            category=box.category,
            attributes=box.attributes,
            ids={"ann_id": box.id},
        )
        for sentence in photo.sentences
        for box in sentence.boxes
    )
    return Record(
        photo=join_paths(folders, photo.file),
        file=photo.file,
        size=Size(first.height, first.width),
        ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
        regions=regions,
    )


REGION_CAPTIONS = Layout(scan=scan_photos, record=record)
