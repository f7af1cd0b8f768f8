"""RefCOCO's expressions in MDETR's form: boxes of a photo and everything said to tell them apart.

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
    """One photo with everything the file says about it."""
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
            attributes=first.attributes,
            ids={
                "ann_id": first.id if first.original_id is None else first.original_id,
                "row_ids": tuple(b.id for b, _ in said),
            },
        )


EXPRESSIONS = Layout(scan=scan_photos, record=record)
