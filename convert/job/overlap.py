"""Photos that one source trains on and another evaluates on.

COCO's photos are in thirteen of the sources, cut into train and val in several ways: RefCOCO's val
is in RefCOCOg's train, as published. Whoever trains on all of them should know, and can choose.
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
from shards.storage import write_if_changed

TRAIN = "train"
"""Every other split is evaluated on."""
_COCO_NAME = re.compile(r"(?:COCO_(?:train|val)2014_)?0*(\d+)(?:-(?:train|val|test[A-C]?))?")

EvalPhotos = Mapping[str, tuple[str, ...]]
"""Name of a photo -> the `<source>/<split>` that evaluate on it."""


class EvalList(msgspec.Struct, frozen=True):
    """What became of the list of a collection.

    Attributes:
        unread: sources that could not be scanned, and why; their photos are not in the list.
    """

    collection: str
    photos: int
    unread: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EvalLister:
    """A picklable function from a collection to its list, which it leaves in the output.

    Every source of the config that is there counts, also one that this run does not convert:
    what a model is evaluated on does not depend on what is converted today.
    """

    config: Config
    root: DataRoot
    out: Path

    def __call__(self, collection: str) -> EvalList:
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
        write_if_changed(list_path(self.out, collection), content + b"\n")
        return EvalList(collection, len(photos), unread)


def list_path(out: Path, collection: str) -> Path:
    """Where the list of a collection is: no source's folder has a dot in its name."""
    return out / f"eval-photos.{collection}.json"


def read_eval_photos(out: Path, collection: str) -> EvalPhotos:
    """The list of a collection; empty for a source that is of none."""
    if not collection:
        return {}
    content = list_path(out, collection).read_bytes()
    return msgspec.json.decode(content, type=dict[str, tuple[str, ...]])


def photo_name(item_id: str) -> str:
    """The same for one photo in every source of its collection.

    >>> {photo_name(i) for i in ("COCO_train2014_000000000139", "000000000139-val", "139")}
    {'139'}
    >>> photo_name("2008_000139"), photo_name("sa_139")
    ('2008_000139', 'sa_139')
    """
    found = _COCO_NAME.fullmatch(item_id)
    return found[1] if found else item_id


def find_overlap(items: Iterable[Item], evaluated: EvalPhotos, *, excluded: bool) -> EvalOverlap:
    """How many of a train split's photos are evaluated on, and where."""
    splits: Counter[str] = Counter()
    photos = 0
    for item in items:
        where = evaluated.get(photo_name(item.id), ())
        photos += bool(where)
        splits.update(set(where))
    return EvalOverlap(photos, excluded, dict(sorted(splits.items())))


def leave_evaluated(items: Iterable[Item], evaluated: EvalPhotos) -> list[Item]:
    """The items whose photos nobody evaluates on."""
    return [item for item in items if photo_name(item.id) not in evaluated]
