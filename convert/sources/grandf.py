"""GranD-f: captions with phrases grounded in masks.

Training files hold rows; the files of val and test hold ground truth.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec

from convert.geometry import box_from_xywh
from convert.record import Item, Paths, RawRegion, Record, RunLengths
from convert.sources.annotations.coco import parse_segmentation, photo_paths
from convert.sources.annotations.grounded_captions import (
    CaptionRow,
    Grounding,
    TruthCaption,
    TruthCaptionsFile,
    TruthMask,
    TruthMasksFile,
    parse_groundings,
    strip_caption,
)
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot
from convert.sources.source import Need, make_id, needs_by_split, ready_splits
from shards.sample import Rle, Size, Span


class _Row(msgspec.Struct, frozen=True, array_like=True):
    height: int
    width: int
    image_id: int | str
    caption: str
    groundings: bytes


class _Mask(msgspec.Struct, frozen=True, array_like=True):
    id: int
    segmentation: bytes
    bbox: tuple[float, float, float, float] | None


class _Data(msgspec.Struct, frozen=True, array_like=True):
    """The annotations of one photo: rows of a training file, or ground truth."""

    file: str
    rows: list[_Row] = []
    captions: list[TruthCaption] = []
    masks: list[_Mask] = []


_decoder = msgspec.msgpack.Decoder(_Data)


@dataclass(frozen=True)
class GrandF:
    """One dataset in the layout of GranD-f.

    Attributes:
        rows: split -> paths at which its file of training rows may be.
        photos: split -> folders in which its photos may be.
        truth_captions: split -> paths at which its `*_gcg_coco_caption_gt.json` may be.
        truth_masks: split -> paths at which its `*_gcg_coco_mask_gt.json` may be.
    """

    rows: Mapping[str, Paths]
    photos: Mapping[str, Paths]
    truth_captions: Mapping[str, Paths] = field(default_factory=dict)
    truth_masks: Mapping[str, Paths] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits with rows, then the splits with ground truth."""
        return (*self.rows, *self.truth_captions)

    def needs(self) -> tuple[Need, ...]:
        """Annotations and photos of each split."""
        return (
            *needs_by_split("annotations", self.rows, name="rows"),
            *needs_by_split("annotations", self.truth_captions, name="captions"),
            *needs_by_split("annotations", self.truth_masks, name="masks"),
            *needs_by_split("photos", self.photos),
        )

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield one item per photo, with all its captions."""
        for split in ready_splits(self, root, splits):
            scan = self._scan_rows if split in self.rows else self._scan_truth
            photos = scan(root, split)
            for data in photos.values():
                stem = PurePosixPath(data.file).stem
                yield Item(make_id(stem), split, msgspec.msgpack.encode(data))

    def _scan_rows(self, root: DataRoot, split: str) -> dict[str, _Data]:
        photos: dict[str, _Data] = {}
        for row in read_json(root, root.find(self.rows[split]) or "", list[CaptionRow]):
            data = photos.setdefault(row.file_name, _Data(row.file_name, rows=[]))
            groundings = bytes(row.groundings)
            data.rows.append(_Row(row.height, row.width, row.image_id, row.caption, groundings))
        return photos

    def _scan_truth(self, root: DataRoot, split: str) -> dict[str, _Data]:
        captions = read_json(root, root.find(self.truth_captions[split]) or "", TruthCaptionsFile)
        masks = read_json(root, root.find(self.truth_masks[split]) or "", TruthMasksFile)
        photos: dict[str, _Data] = {}

        def photo(image_id: int | str) -> _Data:
            file = f"{image_id}.jpg"
            return photos.setdefault(file, _Data(file, captions=[], masks=[]))

        for image in (*captions.images, *masks.images):
            photo(image.id)
        for caption in captions.annotations:
            photo(caption.image_id).captions.append(caption)
        for mask in masks.annotations:
            photo(mask.image_id).masks.append(_mask(mask))
        return photos

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """The function from an item to its record; an item holds all its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        data = _decoder.decode(item.data)
        photo = photo_paths(self.photos[item.split], data.file)
        return _record_of_rows(data, photo) if data.rows else _record_of_truth(data, photo)


def _mask(row: TruthMask) -> _Mask:
    return _Mask(row.id, bytes(row.segmentation), row.bbox)


def _record_of_rows(data: _Data, photo: Paths) -> Record:
    regions: list[RawRegion] = []
    notes: list[str] = []
    for number, row in enumerate(data.rows):
        for grounding in parse_groundings(row.groundings):
            regions.append(_region(grounding, number))
            if not grounding.masks:
                notes.append("phrase without a mask")
    return Record(
        photo=photo,
        file=data.file,
        size=Size(data.rows[0].height, data.rows[0].width),
        ids={"image_ids": tuple(row.image_id for row in data.rows)},
        captions=tuple(strip_caption(row.caption) for row in data.rows),
        regions=tuple(regions),
        notes=tuple(notes),
    )


def _region(grounding: Grounding, caption: int) -> RawRegion:
    spans = (Span(caption, *grounding.span),) if grounding.span else ()
    return RawRegion(phrases=(grounding.phrase,), masks=grounding.masks, spans=spans)


def _record_of_truth(data: _Data, photo: Paths) -> Record:
    """A record with separate regions for labels and masks: the ground truth does not link them."""
    labels = [RawRegion(phrases=(label,)) for row in data.captions for label in row.labels]
    notes: list[str] = []
    masks: list[RawRegion] = []
    for mask in data.masks:
        parts, part_notes = parse_segmentation(mask.segmentation)
        box = box_from_xywh(*mask.bbox) if mask.bbox else None
        masks.append(RawRegion(box=box, masks=parts, ids={"ann_id": mask.id}))
        notes += part_notes
    sizes = [p.size for region in masks for p in region.masks if isinstance(p, Rle | RunLengths)]
    return Record(
        photo=photo,
        file=data.file,
        size=sizes[0] if sizes else None,
        ids={"caption_ids": tuple(row.id for row in data.captions)},
        captions=tuple(strip_caption(row.caption) for row in data.captions),
        regions=(*labels, *masks),
        notes=tuple(notes),
    )
