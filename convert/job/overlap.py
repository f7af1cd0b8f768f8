"""Photos that are in a train split of one source and in an evaluation split of another.

Thirteen of the sources use COCO's photos, and each has its own splits: as published, RefCOCO's val
photos are in RefCOCOg's train split. Someone who trains on several sources should know this and
can exclude these photos.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from convert.config.config import Config
from convert.errors import RecordError, SourceLayoutError
from convert.record import Item
from convert.sources.files import DataRoot
from convert.sources.source import ready_splits
from shards.manifest import EvalOverlap
from shards.storage import eval_photos_name, write_if_changed

TRAIN = "train"
"""The split to train on. Every other split is an evaluation split."""
_COCO_NAME = re.compile(r"(?:COCO_(?:train|val)2014_)?0*(\d+)(?:-(?:train|val|test[A-C]?))?")

EvalPhotos = Mapping[str, tuple[str, ...]]
"""Name of a photo -> `<source>/<split>` of each evaluation split with it."""


class EvalPhotoCount(msgspec.Struct, frozen=True):
    """How many evaluation photos a collection has.

    Attributes:
        unread: source that could not be scanned -> why. Its photos are not counted.
    """

    collection: str
    photos: int
    unread: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EvalPhotoLister:
    """A picklable function that writes the evaluation photos of a collection to a file.

    It lists all sources of the config whose files exist, also those that this run does not
    convert: which photos are evaluation photos does not depend on the run.
    """

    config: Config
    root: DataRoot
    out: Path

    def __call__(self, collection: str) -> EvalPhotoCount:
        """Scan the evaluation splits of the collection's sources."""
        photos: dict[str, list[str]] = {}
        unread: dict[str, str] = {}
        for name, entry in self.config.sources.items():
            if entry.options.collection != collection:
                continue
            wanted = [split for split in entry.source.splits if split != TRAIN]
            wanted = list(ready_splits(entry.source, self.root, wanted))
            try:
                for item in entry.source.scan(self.root, wanted) if wanted else ():
                    photos.setdefault(photo_name(item.id), []).append(f"{name}/{item.split}")
            except (SourceLayoutError, RecordError) as error:
                unread[name] = str(error)
        content = msgspec.json.encode(photos, order="sorted")
        write_if_changed(eval_photos_path(self.out, collection), content + b"\n")
        return EvalPhotoCount(collection, len(photos), unread)


def eval_photos_path(out: Path, collection: str) -> Path:
    """The file with the evaluation photos of a collection.

    It cannot be taken for the folder of a source, whose name has no dot.
    """
    return out / eval_photos_name(collection)


def read_eval_photos(out: Path, collection: str) -> EvalPhotos:
    """The evaluation photos of a collection; none if the name of the collection is ""."""
    if not collection:
        return {}
    content = eval_photos_path(out, collection).read_bytes()
    return msgspec.json.decode(content, type=dict[str, tuple[str, ...]])


def photo_name(item_id: str) -> str:
    """The name of a photo, equal in all sources of its collection.

    >>> {photo_name(i) for i in ("COCO_train2014_000000000139", "000000000139-val", "139")}
    {'139'}
    >>> photo_name("2008_000139"), photo_name("sa_139")
    ('2008_000139', 'sa_139')
    """
    coco = _COCO_NAME.fullmatch(item_id)
    return coco[1] if coco else item_id


def find_overlap(items: Iterable[Item], evaluated: EvalPhotos, *, excluded: bool) -> EvalOverlap:
    """The number of train photos that are in evaluation splits, in total and by split."""
    splits: Counter[str] = Counter()
    photos = 0
    for item in items:
        eval_splits = evaluated.get(photo_name(item.id), ())
        photos += bool(eval_splits)
        splits.update(set(eval_splits))
    return EvalOverlap(photos, excluded, dict(sorted(splits.items())))


def drop_evaluated(items: Iterable[Item], evaluated: EvalPhotos) -> list[Item]:
    """The items whose photos are in no evaluation split."""
    return [item for item in items if photo_name(item.id) not in evaluated]
