"""Sources with one annotation file and some folders of photos for each split."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from convert.errors import ConfigError
from convert.record import Item, Paths, Record
from convert.sources.annotations.registry import LAYOUTS
from convert.sources.files import DataRoot
from convert.sources.source import Need, needs_by_split, ready_splits


@dataclass(frozen=True)
class AnnotationFiles:
    """A source with one annotation file for each split, in one of several layouts.

    Attributes:
        layout: of its annotation files; a name of `convert.sources.annotations.registry`.
        annotations: split -> paths at which its file may be.
        photos: split -> folders in which its photos may be.
    """

    layout: str
    annotations: Mapping[str, Paths]
    photos: Mapping[str, Paths]

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"no layout {self.layout!r}; there are {', '.join(LAYOUTS)}")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the config entry."""
        return tuple(self.annotations)

    def needs(self) -> tuple[Need, ...]:
        """An annotation file and a folder of photos for each split."""
        return (
            *needs_by_split("annotations", self.annotations),
            *needs_by_split("photos", self.photos),
        )

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield one item per photo, with all its annotations."""
        for split in ready_splits(self, root, splits):
            path = root.find(self.annotations[split]) or ""
            for item_id, data in LAYOUTS[self.layout].scan(root, path):
                yield Item(item_id, split, data)

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """The function from an item to its record; an item holds all its annotations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        return LAYOUTS[self.layout].record(item.data, self.photos[item.split])
