"""The `Source` protocol: a stable list of items, and a function from one item to its record."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from convert.record import Item, LabelTable, Paths, Record
from convert.sources.files import DataRoot

NeedKind = Literal["annotations", "photos", "label maps", "database"]


@dataclass(frozen=True, slots=True)
class Need:
    """A file or folder that a source reads, and the paths where it may be.

    Attributes:
        kind: what it holds.
        paths: relative to the data's root; the first that exists is read.
        split: the split that cannot be converted without it; None if no split can.
        name: what people call it, where the kind is too general: "refs".
        holds: a file that the folder must hold to be of use; "" if any content will do.
    """

    kind: NeedKind
    paths: Paths
    split: str | None = None
    name: str = ""
    holds: str = ""

    @property
    def label(self) -> str:
        """The need in words.

        >>> Need("photos", ("coco/train",), "train").label
        'photos of train'
        >>> Need("annotations", ("refs(unc).p",), name="refs").label
        'refs'
        """
        name = self.name or self.kind
        return f"{name} of {self.split}" if self.split else name


class Source(Protocol):
    """One configured dataset. Implementations are frozen dataclasses; their fields are the config.

    Three laws, which tests/contract/test_sources.py checks for every source:
        `scan` is stable: two scans of the same files yield equal items in the same order, and a
            scan of some splits yields the items of those splits;
        a record depends on its item alone, not on the records before it;
        ids are unique.

    Because of these laws, neither the number of workers nor the size of a shard changes a sample.

    What only some sources have is in protocols of its own: `HasLabelTable`, `SelfChecking`,
    `HasEmptySplits`. A source has them by having their members; `isinstance` tells.
    """

    @property
    def splits(self) -> tuple[str, ...]:
        """Every split that the published data has."""
        ...

    def needs(self) -> tuple[Need, ...]:
        """Every file and folder that the source reads. Opens none of them."""
        ...

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield every item of the splits whose needs are met, once, in upstream's order.

        Runs once, in one process. Reads annotations, never photos.

        Args:
            root: of the data.
            splits: yield only the items of these; None for all.

        Raises:
            SourceLayoutError: if an annotation file does not have the published layout.
            RecordError: if a file must not be read at all, such as a pickle that would run code.
        """
        ...

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """A context manager around the function from an item to its record.

        Each task opens the source once, in its worker. The function raises `RecordError` for an
        item that cannot become a sample.
        """
        ...


@runtime_checkable
class HasLabelTable(Protocol):
    """A source with label maps."""

    @property
    def table(self) -> LabelTable:
        """The meaning of the pixel values of its label maps."""
        ...


@dataclass(frozen=True, slots=True)
class Remark:
    """What a source reports about its own files.

    Attributes:
        severity: `unreadable`: the files must not be opened again; `wrong`: they are not what was
            published; `note`: they can be converted as they are.
        text: a sentence that names the file.
    """

    severity: Literal["unreadable", "wrong", "note"]
    text: str


@runtime_checkable
class SelfChecking(Protocol):
    """A source that knows more about its files than where they are."""

    def check(self, root: DataRoot) -> Iterator[Remark]:
        """Check the files that exist, without reading every row.

        Raises:
            SourceLayoutError: for what `scan` would raise it for, too.
        """
        ...


@runtime_checkable
class HasEmptySplits(Protocol):
    """A source whose splits may have no items although all its needs are met."""

    @property
    def may_be_empty(self) -> Collection[str]:
        """Names of these splits. The source as a whole still needs an item."""
        ...


def label_table(source: Source) -> LabelTable | None:
    """The table of a source's label maps; None for a source without label maps."""
    return source.table if isinstance(source, HasLabelTable) else None


def needs_by_split(
    kind: NeedKind, by_split: Mapping[str, Paths], *, name: str = ""
) -> Iterator[Need]:
    """Yield one need for each split."""
    for split, paths in by_split.items():
        yield Need(kind, paths, split, name)


def missing_needs(source: Source, root: DataRoot) -> tuple[Need, ...]:
    """The needs of a source that are not met."""
    return tuple(need for need in source.needs() if root.find(need.paths) is None)


def ready_splits(
    source: Source, root: DataRoot, among: Collection[str] | None = None
) -> tuple[str, ...]:
    """The splits whose needs are all met.

    Args:
        source: the source.
        root: of the data.
        among: return only splits among these; None for no restriction.
    """
    missing = {need.split for need in missing_needs(source, root)}
    splits = (split for split in source.splits if among is None or split in among)
    return () if None in missing else tuple(split for split in splits if split not in missing)


_ID = re.compile(r"[A-Za-z0-9_-]{1,48}")


def make_id(name: str) -> str:
    """The id of an item from its name in the annotations.

    The name itself where it fits a key. Otherwise a name with a hash that fits.

    >>> make_id("sa_10010541")
    'sa_10010541'
    >>> make_id("a photo.of/me")
    'a-photo-of-me-5d15e547'
    """
    if _ID.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:32] + f"-{digest}"
