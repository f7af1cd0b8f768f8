"""What a source's annotations say, held against what the folders list."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from convert.config.config import SourceConfig
from convert.doctor.places import FOLDERS
from convert.doctor.survey import Survey
from convert.errors import RecordError, SourceLayoutError
from convert.record import Item, Paths, Record
from convert.sources.files import DataRoot
from convert.sources.source import Need


@dataclass(frozen=True)
class AssumedRoot(DataRoot):
    """The data as if some folders were there: reading it tells what should be in them.

    Attributes:
        assumed: places of those folders.
    """

    assumed: Collection[Paths] = ()

    def find(self, places: Paths) -> str | None:
        """The first place that exists, or is assumed to."""
        found = DataRoot.find(self, places)
        return places[0] if found is None and places in self.assumed else found

    def names(self, folder: str, suffix: str) -> list[str]:
        """Names in a folder; none of one that is only assumed."""
        try:
            return DataRoot.names(self, folder, suffix)
        except SourceLayoutError:
            if any(folder in places for places in self.assumed):
                return []
            raise


@dataclass(slots=True)
class Contents:
    """What is known of a source's items.

    Attributes:
        items: split -> photos its annotations name.
        gone: photos or label maps -> files of it that are not there.
        broken: what is wrong with annotations that cannot be used.
        labelled: records whose label map is there.
        texts: split, and whether a caption or an expression says anything -> how many of them.
    """

    items: Counter[str] = field(default_factory=Counter)
    gone: dict[Need, list[Paths]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    labelled: list[Record] = field(default_factory=list)
    texts: Counter[tuple[str, bool]] = field(default_factory=Counter)


def read_contents(entry: SourceConfig, survey: Survey, root: DataRoot) -> Contents:
    """Every row, and the existence of every file.

    Raises:
        SourceLayoutError: if an annotation file is not of the published shape.
        RecordError: if one must not be read at all.
    """
    items: list[Item] = list(entry.source.scan(root))
    contents = Contents(Counter(item.split for item in items))
    needs = {(n.what, n.split): n for n in entry.source.needs() if n.what in FOLDERS}
    with entry.source.open(root) as record_of:
        for item in items:
            try:
                record = record_of(item)
                contents.texts.update((item.split, said) for said in _texts(record))
                files = {"photos": record.photo}
                if record.labels is not None:
                    files["label maps"] = record.labels.places
                for what, places in files.items():
                    need = needs.get((what, item.split)) or needs[what, None]
                    if not survey.has(places):
                        contents.gone.setdefault(need, []).append(places)
                    elif what == "label maps":
                        contents.labelled.append(record)
            except RecordError as error:
                contents.broken.append(f"{item.id}: {type(error).__name__}: {error}")
    return contents


def _texts(record: Record) -> Iterator[bool]:
    yield from (bool(caption.strip()) for caption in record.captions)
    yield from (bool(text.strip()) for region in record.regions for text in region.phrases)
