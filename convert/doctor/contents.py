"""The annotations of a source, compared with the files in its folders."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from convert.config.config import SourceConfig
from convert.doctor.listing import FolderListing
from convert.errors import RecordError, SourceLayoutError
from convert.record import Item, Paths, Record
from convert.sources.files import DataRoot
from convert.sources.source import Need, NeedKind

FOLDER_KINDS: tuple[NeedKind, ...] = ("photos", "label maps")
"""Kinds of needs whose files the annotations, or the files of the other kind, name."""


@dataclass(frozen=True)
class AssumedRoot(DataRoot):
    """The data's root with some missing folders treated as empty, so that sources can be scanned.

    Attributes:
        assumed: paths of each of these folders.
    """

    assumed: Collection[Paths] = ()

    def find(self, paths: Paths) -> str | None:
        """The first path that exists; the first path of an assumed folder."""
        existing = DataRoot.find(self, paths)
        return paths[0] if existing is None and paths in self.assumed else existing

    def names(self, folder: str, suffix: str) -> list[str]:
        """Names in a folder; none for an assumed folder."""
        try:
            return DataRoot.names(self, folder, suffix)
        except SourceLayoutError:
            if any(folder in paths for paths in self.assumed):
                return []
            raise


@dataclass(slots=True)
class Contents:
    """What the annotations of a source hold.

    Attributes:
        items: split -> number of photos in its annotations.
        missing: need -> the paths of each of its files that is missing.
        unusable: what is wrong with each item that cannot become a sample.
        with_labels: records whose label map exists.
        texts: (split, whether the text has any characters) -> captions and expressions.
    """

    items: Counter[str] = field(default_factory=Counter)
    missing: dict[Need, list[Paths]] = field(default_factory=dict)
    unusable: list[str] = field(default_factory=list)
    with_labels: list[Record] = field(default_factory=list)
    texts: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def count(self, need: Need) -> int:
        """Photos that need it."""
        return self.items[need.split] if need.split else self.items.total()


def read_contents(entry: SourceConfig, listing: FolderListing, root: DataRoot) -> Contents:
    """Read every annotation of a source, and look up the files that they name.

    Raises:
        SourceLayoutError: if an annotation file does not have the published layout.
        RecordError: if a file must not be read at all.
    """
    items: list[Item] = list(entry.source.scan(root))
    contents = Contents(Counter(item.split for item in items))
    if not items:
        return contents  # what the source would open may be missing
    needs = {(n.kind, n.split): n for n in entry.source.needs() if n.kind in FOLDER_KINDS}
    with entry.source.open(root) as record_of:
        for item in items:
            try:
                record = record_of(item)
                contents.texts.update((item.split, has_text) for has_text in _texts(record))
                for kind, paths in _files(record):
                    need = needs.get((kind, item.split)) or needs[kind, None]
                    if not listing.has_any(paths):
                        contents.missing.setdefault(need, []).append(paths)
                    elif kind == "label maps":
                        contents.with_labels.append(record)
            except RecordError as error:
                contents.unusable.append(f"{item.id}: {type(error).__name__}: {error}")
    return contents


def _files(record: Record) -> Iterator[tuple[NeedKind, Paths]]:
    yield "photos", record.photo
    if record.labels is not None:
        yield "label maps", record.labels.paths


def _texts(record: Record) -> Iterator[bool]:
    yield from (bool(caption.strip()) for caption in record.captions)
    yield from (bool(text.strip()) for region in record.regions for text in region.phrases)
