"""Photos and one annotation file for each split, in one of several layouts."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

from convert.errors import ConfigError
from convert.record import Item, Paths, Record
from convert.sources.annotations.registry import LAYOUTS
from convert.sources.files import DataRoot
from convert.sources.source import Need, needs_by_split, ready_splits


@dataclass(frozen=True)
class AnnotationFiles:
    """A source of that shape.

    Attributes:
        layout: of its files; a name of `convert.sources.annotations.registry`.
        annotations: split -> places of its file.
        photos: split -> folders its photos may be in.
    """

    layout: str
    annotations: Mapping[str, Paths]
    photos: Mapping[str, Paths]
    table: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"no layout {self.layout!r}; there are {', '.join(LAYOUTS)}")

    @property
    def splits(self) -> tuple[str, ...]:
        """As configured."""
        return tuple(self.annotations)

    def needs(self) -> tuple[Need, ...]:
        """A file and a folder for each split."""
        return needs_by_split({"annotations": self.annotations, "photos": self.photos})

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """One item per photo, with everything its file says about it."""
        for split in ready_splits(self, root, splits):
            place = root.find(self.annotations[split]) or ""
            for item_id, data in LAYOUTS[self.layout].scan(root, place):
                yield Item(item_id, split, data)

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item carries its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        return LAYOUTS[self.layout].record(item.data, self.photos[item.split])
