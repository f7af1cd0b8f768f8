"""GranD's pre-training annotations: grounded short captions, and expressions for objects.

Layout: mbzuai-oryx/groundingLMM, GranD/prepare_annotations. Boxes are corners, x0 y0 x1 y1.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from convert.errors import AnnotationError, SpanError
from convert.record import Item, Paths, RawMask, RawRegion, Record, RunLengths
from convert.sources.annotations.coco import parse_rle
from convert.sources.annotations.lmdb_json import open_database, read_keys
from convert.sources.files import DataRoot, join_places
from convert.sources.source import Need, make_id
from shards.sample import Box, Rle, Size, Span

_LISTS = {"train": "_Train.txt", "val": "_Val.txt"}
_RESIDUE = re.compile(r"\s*\b(?:ass)?istant:\s*|^\s*(?:ass)?istant\b\s*", re.IGNORECASE)
"""What a language model left in front of, or inside, its answers. Upstream removes the letters
wherever they stand; "a shop assistant" keeps hers here."""
_TRACE = re.compile("istant", re.IGNORECASE)
"""In every residue, and quick to look for: most phrases have none."""


@dataclass(frozen=True)
class Grand:
    """One of the databases, and the photos of SA-1B.

    Attributes:
        database: places of the LMDB's folder.
        photos: folders the photos may be in.
        holds: what the database's rows are.
    """

    database: Paths
    photos: Paths
    holds: Literal["captions", "expressions"]
    table: ClassVar[None] = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have a list of keys."""
        return tuple(_LISTS)

    def needs(self) -> tuple[Need, ...]:
        """A database and photos; the lists of keys may be absent."""
        return (Need("database", self.database), Need("photos", self.photos))

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """One item per key."""
        keys = read_keys(root, root.find(self.database) or "", _LISTS)
        for split, names in keys.by_split.items():
            for name in names if splits is None or split in splits else ():
                stem = make_id(PurePosixPath(name).stem)
                yield Item(stem, split, name.encode("utf-8", "surrogateescape"))

    @contextmanager
    def open(self, root: DataRoot) -> Iterator[Callable[[Item], Record]]:
        """Open the database; every worker has its own view of it."""
        with open_database(root, root.find(self.database) or "") as database:

            def record_of(item: Item) -> Record:
                name = item.data.decode("utf-8", "surrogateescape")
                return self._record(name, database.get(name))

            yield record_of

    def _record(self, name: str, rows: list[Any]) -> Record:
        notes: list[str] = []
        try:
            if self.holds == "captions":
                captions = tuple(str(row["caption"]) for row in rows)
                regions = tuple(_grounded(rows, captions, notes))
            else:
                captions, regions = (), tuple(_expressed(row, notes) for row in rows)
        except (KeyError, TypeError, ValueError) as error:
            raise AnnotationError(f"{name}: row of no known form: {error!r}") from error
        return Record(
            photo=join_places(self.photos, name),
            file=name,
            size=_size(regions),
            captions=captions,
            regions=regions,
            notes=tuple(notes),
        )


def _grounded(
    rows: list[Mapping[str, Any]], captions: tuple[str, ...], notes: list[str]
) -> Iterator[RawRegion]:
    for number, row in enumerate(rows):
        for detail in row.get("details") or ():
            span = _span(detail.get("tokens_positive"), number, captions[number])
            if detail.get("segmentation") is None:
                notes.append("phrase without a mask")
            yield RawRegion(
                phrases=(str(detail["phrase"]),),
                box=_box(detail.get("bbox")),
                masks=_masks(detail.get("segmentation")),
                spans=(span,) if span else (),
                ids=_ids(detail),
            )


def _span(value: Any, caption: int, text: str) -> Span | None:
    if value is None:
        return None
    start, stop = value
    if not 0 <= start < stop <= len(text):
        raise SpanError(f"characters [{start}, {stop}) of a caption of {len(text)}")
    return Span(caption, start, stop)


def _expressed(row: Mapping[str, Any], notes: list[str]) -> RawRegion:
    said = row.get("attribute")
    words = [] if said is None else [said] if isinstance(said, str) else [str(s) for s in said]
    phrases = tuple(phrase for text in words if (phrase := _clean(text, notes)))
    if not phrases:
        notes.append("object without an expression")
    return RawRegion(
        phrases=phrases,
        box=_box(row.get("bbox")),
        masks=_masks(row.get("segmentation")),
        ids=_ids(row),
    )


def _clean(text: str, notes: list[str]) -> str:
    found = text.strip()
    if not _TRACE.search(found):
        return found
    phrase = _RESIDUE.sub(" ", text).strip()
    if phrase != found:
        notes.append("language model's residue removed")
    return phrase


def _box(value: Any) -> Box | None:
    if value is None:
        return None
    x0, y0, x1, y1 = map(float, value)
    return Box(x0, y0, x1, y1)


def _masks(value: Any) -> tuple[RawMask, ...]:
    return () if value is None else (parse_rle(value),)


def _ids(row: Mapping[str, Any]) -> dict[str, int]:
    """Ids are not unique: an object and a floating object may share one."""
    return {"object_id": row["id"]} if isinstance(row.get("id"), int) else {}


def _size(regions: tuple[RawRegion, ...]) -> Size | None:
    """Of the first mask: the annotation itself does not say the photo's size."""
    sizes = [m.size for region in regions for m in region.masks if isinstance(m, Rle | RunLengths)]
    return sizes[0] if sizes else None
