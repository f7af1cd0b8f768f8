"""GranD's pre-training annotations: short grounded captions, and expressions for objects.

Layout: mbzuai-oryx/groundingLMM, GranD/prepare_annotations. Boxes are corners, x0 y0 x1 y1.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from convert.errors import AnnotationError, SourceLayoutError, SpanError
from convert.record import Item, Paths, RawMask, RawRegion, Record, RunLengths
from convert.sources.annotations.coco import parse_rle
from convert.sources.annotations.lmdb_json import DATA_FILE, open_database, read_keys
from convert.sources.files import DataRoot, join_paths
from convert.sources.source import Need, Remark, make_id, ready_splits
from shards.sample import Box, Rle, Size, Span

_LISTS = {"train": "_Train.txt", "val": "_Val.txt"}
"""Split -> how the name of its list of keys ends."""
_RESIDUE = re.compile(r"\s*\b(?:ass)?istant:\s*|^\s*(?:ass)?istant\b\s*", re.IGNORECASE)
"""What a language model left in front of or inside its answers. Upstream removes these letters
everywhere; here the word in "a shop assistant" stays."""
_TRACE = re.compile("istant", re.IGNORECASE)
"""A fast test: in every residue, and in hardly any phrase without one."""


@dataclass(frozen=True)
class Grand:
    """One of GranD's databases, and the photos of SA-1B.

    Attributes:
        database: paths at which the LMDB's folder may be.
        photos: folders in which the photos may be.
        holds: what a row of the database is.
    """

    database: Paths
    photos: Paths
    holds: Literal["captions", "expressions"]
    may_be_empty: ClassVar[Collection[str]] = tuple(_LISTS)
    """The lists of keys are optional: without them every key is of train."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that lists of keys are published for."""
        return tuple(_LISTS)

    def needs(self) -> tuple[Need, ...]:
        """A database and a folder of photos. The lists of keys are optional."""
        return (Need("database", self.database, holds=DATA_FILE), Need("photos", self.photos))

    def check(self, root: DataRoot) -> Iterator[Remark]:
        """Report a database that cannot be opened, and entries that no list of keys names."""
        folder = root.find(self.database)
        if folder is None:
            return
        try:
            with open_database(root, folder):
                pass
        except SourceLayoutError as error:
            yield Remark("unreadable", str(error))
            return
        unlisted = read_keys(root, folder, _LISTS).unlisted
        if unlisted:
            text = f"{unlisted:,} entries of {folder} are in no list of keys, and left out"
            yield Remark("note", text)

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield one item per key."""
        if not ready_splits(self, root):
            return
        keys = read_keys(root, root.find(self.database) or "", _LISTS)
        for split, names in keys.by_split.items():
            for name in names if splits is None or split in splits else ():
                stem = make_id(PurePosixPath(name).stem)
                yield Item(stem, split, name.encode("utf-8", "surrogateescape"))

    @contextmanager
    def open(self, root: DataRoot) -> Iterator[Callable[[Item], Record]]:
        """Open the database and yield the function from an item to its record."""
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
            photo=join_paths(self.photos, name),
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
    value = row.get("attribute")
    texts = [] if value is None else [value] if isinstance(value, str) else map(str, value)
    phrases = tuple(phrase for text in texts if (phrase := _clean(text, notes)))
    if not phrases:
        notes.append("object without an expression")
    return RawRegion(
        phrases=phrases,
        box=_box(row.get("bbox")),
        masks=_masks(row.get("segmentation")),
        ids=_ids(row),
    )


def _clean(text: str, notes: list[str]) -> str:
    stripped = text.strip()
    if not _TRACE.search(stripped):
        return stripped
    phrase = _RESIDUE.sub(" ", text).strip()
    if phrase != stripped:
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
    """The id of a row, if it has one. An object and a floating object may share an id."""
    return {"object_id": row["id"]} if isinstance(row.get("id"), int) else {}


def _size(regions: tuple[RawRegion, ...]) -> Size | None:
    """The size of the first mask: the annotations do not give the size of the photo."""
    sizes = [m.size for region in regions for m in region.masks if isinstance(m, Rle | RunLengths)]
    return sizes[0] if sizes else None
