"""What a source is: a stable list of items, and a function that turns one item into a record."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from convert.record import Item, LabelTable, Paths, Record
from convert.sources.files import DataRoot


@dataclass(frozen=True, slots=True)
class Need:
    """A file or folder a source reads, and the places where it may be.

    Attributes:
        what: for people, such as "photos".
        split: the split that cannot be made without it; None if none can.
    """

    what: str
    places: Paths
    split: str | None = None


class Source(Protocol):
    """One dataset, configured. Implementations are frozen dataclasses: fields are the config.

    Laws (tests/contract/test_sources.py holds every source to them):
        scan is stable: two scans of the same files yield equal items in the same order, and a
            scan of some splits yields theirs;
        a record depends on its item alone, whatever came before;
        ids are unique.

    From the laws follows the promise of the whole program: neither the number of workers nor
    the size of a shard changes any sample.
    """

    @property
    def splits(self) -> tuple[str, ...]:
        """Every split the published data has."""
        ...

    @property
    def table(self) -> LabelTable | None:
        """The table of its label maps, if it has any."""
        ...

    def needs(self) -> tuple[Need, ...]:
        """Everything it reads. Touches no file."""
        ...

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield every item of the splits whose needs are met, once, in upstream's order.

        Runs in one process; reads annotations, never images.

        Args:
            root: of the data.
            splits: only their items; None for all.

        Raises:
            SourceLayoutError: if an annotation file is not of the published shape.
            RecordError: if one must not be read at all, such as a pickle that wants to run code.
        """
        ...

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Open what reading needs, in the worker; close it when the task ends.

        The function it gives raises `RecordError` for an item that cannot become a sample.
        """
        ...


def needs_by_split(kinds: Mapping[str, Mapping[str, Paths]]) -> tuple[Need, ...]:
    """One need per kind of file and split."""
    return tuple(
        Need(what, places, split)
        for what, by_split in kinds.items()
        for split, places in by_split.items()
    )


def missing_needs(source: Source, root: DataRoot) -> tuple[Need, ...]:
    """What a source reads and does not find."""
    return tuple(need for need in source.needs() if root.find(need.places) is None)


def ready_splits(
    source: Source, root: DataRoot, among: Collection[str] | None = None
) -> tuple[str, ...]:
    """The splits for which everything is there; only those of `among`, unless it is None."""
    missing = {need.split for need in missing_needs(source, root)}
    splits = (split for split in source.splits if among is None or split in among)
    return () if None in missing else tuple(split for split in splits if split not in missing)


_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")


def make_id(name: str) -> str:
    """A name from an annotation as an item's id: itself, unless it would make a bad key.

    >>> make_id("sa_10010541")
    'sa_10010541'
    >>> make_id("a photo.of/me")
    'a-photo-of-me-5d15e547'
    """
    if _ID.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:32] + f"-{digest}"
