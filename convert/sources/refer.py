"""RefCOCO, RefCOCO+, RefCOCOg, RefCLEF: referring expressions for objects of a photo."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import msgspec

from convert.errors import AnnotationError
from convert.geometry import box_from_xywh
from convert.record import Item, Paths, RawRegion, Record
from convert.sources.annotations.coco import CocoImage, parse_segmentation, photo_paths
from convert.sources.annotations.refer_files import ReferPhoto, read_refer
from convert.sources.files import DataRoot, join_paths
from convert.sources.source import Need, ready_splits


class _Thing(msgspec.Struct, frozen=True, array_like=True):
    """An object and all its expressions; `bbox` is None if instances.json lacks the object."""

    ann_id: int | str
    ref_ids: tuple[int, ...]
    sent_ids: tuple[int, ...]
    sentences: tuple[str, ...]
    category: str
    bbox: tuple[float, float, float, float] | None
    segmentation: bytes


class _Data(msgspec.Struct, frozen=True, array_like=True):
    image_id: int
    image: CocoImage | None
    things: tuple[_Thing, ...]


_decoder = msgspec.msgpack.Decoder(_Data)


@dataclass(frozen=True)
class Refer:
    """One dataset in the layout of REFER.

    Attributes:
        folder: paths at which the folder with the refs and `instances.json` may be.
        refs: name of the pickle of refs in it. Each author's splits have a pickle of their own.
        photos: folders in which the photos may be.
        splits: of this pickle.
    """

    folder: Paths
    refs: str
    photos: Paths
    splits: tuple[str, ...]

    def needs(self) -> tuple[Need, ...]:
        """Refs, instances and photos. No split can be converted without one of them."""
        return (
            Need("annotations", join_paths(self.folder, self.refs), name="refs"),
            Need("annotations", join_paths(self.folder, "instances.json"), name="instances"),
            Need("photos", self.photos),
        )

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield one item per photo and split, with its objects in the order of the refs."""
        folder = root.find(self.folder)
        if folder is None or not ready_splits(self, root):
            return
        photos = list(read_refer(root, folder, self.refs))
        splits_of = Counter(photo.image_id for photo in photos)
        for photo in photos:
            if splits is not None and photo.split not in splits:
                continue
            # Some pickles have one photo in several splits. The key must then name the split.
            suffix = f"-{photo.split}" if splits_of[photo.image_id] > 1 else ""
            data = _Data(photo.image_id, photo.image, _things(photo))
            item_id = f"{photo.image_id:012d}{suffix}"
            yield Item(item_id, photo.split, msgspec.msgpack.encode(data))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """The function from an item to its record; an item holds all its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        data = _decoder.decode(item.data)
        if data.image is None:
            raise AnnotationError(f"no row for image {data.image_id} in instances.json")
        regions: list[RawRegion] = []
        notes: list[str] = []
        for thing in data.things:
            region, region_notes = _region(thing)
            regions.append(region)
            notes += region_notes
        return Record(
            photo=photo_paths(self.photos, data.image.file_name),
            file=data.image.file_name,
            size=data.image.size,
            ids={"image_id": data.image_id},
            regions=tuple(regions),
            notes=tuple(notes),
        )


def _things(photo: ReferPhoto) -> tuple[_Thing, ...]:
    """The objects of a photo, each with the refs that name it."""
    groups: dict[int | str, list[int]] = {}
    for number, ref in enumerate(photo.refs):
        groups.setdefault(ref.ann_id, []).append(number)
    return tuple(_thing(photo, ann_id, numbers) for ann_id, numbers in groups.items())


def _thing(photo: ReferPhoto, ann_id: int | str, numbers: list[int]) -> _Thing:
    refs = [photo.refs[number] for number in numbers]
    row = photo.instances[numbers[0]]
    return _Thing(
        ann_id=ann_id,
        ref_ids=tuple(ref.ref_id for ref in refs),
        sent_ids=tuple(s.sent_id for ref in refs for s in ref.sentences),
        sentences=tuple(s.sent for ref in refs for s in ref.sentences),
        category=photo.categories[numbers[0]],
        bbox=row.bbox if row else None,
        segmentation=bytes(row.segmentation) if row else b"",
    )


def _region(thing: _Thing) -> tuple[RawRegion, tuple[str, ...]]:
    if thing.bbox is None:
        raise AnnotationError(
            f"ref {thing.ref_ids[0]} names annotation {thing.ann_id}, which instances.json lacks"
        )
    masks, notes = parse_segmentation(thing.segmentation)
    region = RawRegion(
        phrases=thing.sentences,
        box=box_from_xywh(*thing.bbox),
        masks=masks,
        category=thing.category,
        ids={"ann_id": thing.ann_id, "ref_ids": thing.ref_ids, "sent_ids": thing.sent_ids},
    )
    return region, notes
