"""Photos and label maps of equal names in parallel folders: ADE20K's SceneParsing edition.

Layout: CSAILVision/sceneparsing, ADEChallengeData2016/{images,annotations}/{training,validation}.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from convert.record import Item, LabelTable, Paths, RawLabelMap, Record
from convert.sources.files import DataRoot, join_places
from convert.sources.source import Need, make_id, needs_by_split, ready_splits


@dataclass(frozen=True)
class LabelFolders:
    """Semantic segmentation by files alone: a listing is all the annotation there is.

    Attributes:
        photos: split -> folders its photos may be in.
        labels: split -> folders its label maps may be in.
        table: what the label maps' values mean.
        shared_photos: whether other sources keep photos in the same folders; then a photo without
            a label map is none of this source's.
    """

    photos: Mapping[str, Paths]
    labels: Mapping[str, Paths]
    table: LabelTable
    shared_photos: bool = False

    @property
    def splits(self) -> tuple[str, ...]:
        """As configured."""
        return tuple(self.labels)

    def needs(self) -> tuple[Need, ...]:
        """A folder of photos and one of label maps for each split."""
        return needs_by_split({"photos": self.photos, "label maps": self.labels})

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """One item per name; a photo without a label map, or the reverse, is an item as well."""
        kinds = [(self.labels, ".png")]
        if not self.shared_photos:
            kinds.append((self.photos, ".jpg"))
        for split in ready_splits(self, root, splits):
            stems = {
                name.rpartition(".")[0]
                for folders, suffix in kinds
                for name in root.names(root.find(folders[split]) or "", suffix)
            }
            for stem in sorted(stems):
                yield Item(make_id(stem), split, stem.encode("utf-8", "surrogateescape"))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item is a name."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        stem = item.data.decode("utf-8", "surrogateescape")
        labels = RawLabelMap(join_places(self.labels[item.split], f"{stem}.png"), self.table)
        photo = join_places(self.photos[item.split], f"{stem}.jpg")
        return Record(photo=photo, file=f"{stem}.jpg", labels=labels)
