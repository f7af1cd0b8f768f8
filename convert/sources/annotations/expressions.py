"""RefCOCO's referring expressions in MDETR's form: boxes of a photo with their expressions.

Layout: ashkamath/mdetr, `finetune_{refcoco,refcoco+,refcocog}_{train,val}.json`.
"""

from collections.abc import Iterator

from convert.errors import AnnotationError
from convert.geometry import box_from_xywh
from convert.record import Paths, RawRegion, Record
from convert.sources.annotations.coco import photo_paths
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.mdetr import (
    BoxData,
    PhotoData,
    expect_rows,
    photo_decoder,
    scan_photos,
)
from shards.sample import Size


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo."""
    photo = expect_rows(photo_decoder.decode(data))
    first = photo.sentences[0]
    return Record(
        photo=photo_paths(folders, photo.file),
        file=photo.file,
        size=Size(first.height, first.width),
        ids={"row_ids": tuple(sentence.id for sentence in photo.sentences)},
        regions=tuple(_regions(photo)),
    )


def _regions(photo: PhotoData) -> Iterator[RawRegion]:
    """Yield one region per COCO object, with its expressions in file order."""
    groups: dict[int, list[tuple[BoxData, str]]] = {}
    for sentence in photo.sentences:
        for box in sentence.boxes:
            # Without COCO's id, boxes cannot be matched to objects: each box is an object.
            thing = -1 - box.id if box.original_id is None else box.original_id
            groups.setdefault(thing, []).append((box, sentence.caption))
    for rows in groups.values():
        first = rows[0][0]
        if any(box.bbox != first.bbox for box, _ in rows):
            raise AnnotationError(f"rows about object {first.original_id} give it several boxes")
        yield RawRegion(
            phrases=tuple(caption.strip() for _, caption in rows),
            box=box_from_xywh(*first.bbox),
            category=first.category,
            attributes=first.attributes,
            ids={
                "ann_id": first.id if first.original_id is None else first.original_id,
                "row_ids": tuple(b.id for b, _ in rows),
            },
        )


EXPRESSIONS = Layout(scan=scan_photos, record=record)
