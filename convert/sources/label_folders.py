"""Sources of photos and label maps with equal names in parallel folders, such as ADE20K.

Layout: CSAILVision/sceneparsing, ADEChallengeData2016/{images,annotations}/{training,validation}.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from convert.record import Item, LabelTable, Paths, RawLabelMap, Record
from convert.sources.files import DataRoot, join_paths
from convert.sources.label_tables import compare_classes
from convert.sources.source import Need, Remark, make_id, needs_by_split, ready_splits


@dataclass(frozen=True)
class LabelFolders:
    """A source without annotation files: a listing of its folders gives its items.

    Attributes:
        photos: split -> folders in which its photos may be.
        labels: split -> folders in which its label maps may be.
        table: the meaning of the label maps' values.
        shared_photos: whether other sources keep photos in the same folders. If so, a photo
            without a label map belongs to another source.
    """

    photos: Mapping[str, Paths]
    labels: Mapping[str, Paths]
    table: LabelTable
    shared_photos: bool = False

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the config entry."""
        return tuple(self.labels)

    def needs(self) -> tuple[Need, ...]:
        """A folder of photos and a folder of label maps for each split."""
        return (
            *needs_by_split("photos", self.photos),
            *needs_by_split("label maps", self.labels),
        )

    def check(self, root: DataRoot) -> Iterator[Remark]:
        """Compare the table with the list of classes that some downloads hold."""
        folders = (path for paths in self.labels.values() for path in paths)
        labels = next((path for path in folders if root.locate(path).is_dir()), None)
        if labels is not None:
            for text in compare_classes(root, labels, self.table):
                yield Remark("wrong", text)

    def scan(self, root: DataRoot, splits: Collection[str] | None = None) -> Iterator[Item]:
        """Yield one item per name, also where the photo or the label map is missing."""
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
        """The function from an item to its record; an item holds a name."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        stem = item.data.decode("utf-8", "surrogateescape")
        labels = RawLabelMap(join_paths(self.labels[item.split], f"{stem}.png"), self.table)
        photo = join_paths(self.photos[item.split], f"{stem}.jpg")
        return Record(photo=photo, file=f"{stem}.jpg", labels=labels)
