"""LLaVA-Instruct: conversations about a photo, in words alone.

Layout: haotian-liu/LLaVA, `llava_instruct_150k.json`, a list of `{id, image, conversations}`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from convert.files import DataRoot
from convert.formats.coco import photo_places
from convert.formats.typed_json import read_json
from convert.record import Places, Record
from convert.source import Item, Need, make_id, needs_by_split, ready_splits
from shards.sample import Turn


class _Turn(msgspec.Struct, frozen=True, rename={"speaker": "from", "text": "value"}):
    speaker: str
    text: str


class _Row(msgspec.Struct, frozen=True):
    image: str
    conversations: tuple[_Turn, ...]
    id: str = ""


class _Data(msgspec.Struct, frozen=True, array_like=True):
    file: str
    ids: list[str]
    conversations: list[tuple[Turn, ...]]


_decoder = msgspec.msgpack.Decoder(_Data)


@dataclass(frozen=True)
class Conversations:
    """Files of conversations, and the photos they are about.

    Attributes:
        annotations: split -> places of its file.
        photos: split -> folders its photos may be in.
    """

    annotations: Mapping[str, Places]
    photos: Mapping[str, Places]
    table: ClassVar[None] = None

    @property
    def splits(self) -> tuple[str, ...]:
        """As configured."""
        return tuple(self.annotations)

    def needs(self) -> tuple[Need, ...]:
        """A file and a folder for each split."""
        return needs_by_split({"conversations": self.annotations, "photos": self.photos})

    def scan(self, root: DataRoot) -> Iterator[Item]:
        """One item per photo, with all conversations about it, which have one id upstream."""
        for split in ready_splits(self, root):
            photos: dict[str, _Data] = {}
            for row in read_json(root, root.find(self.annotations[split]) or "", list[_Row]):
                data = photos.setdefault(row.image, _Data(row.image, [], []))
                data.ids.append(row.id)
                data.conversations.append(tuple(Turn(t.speaker, t.text) for t in row.conversations))
            for data in photos.values():
                item_id = make_id(PurePosixPath(data.file).stem)
                yield Item(item_id, split, msgspec.msgpack.encode(data))

    def open(self, root: DataRoot) -> AbstractContextManager[Callable[[Item], Record]]:
        """Nothing to open: an item carries its conversations."""
        del root
        return nullcontext(self._record)

    def _record(self, item: Item) -> Record:
        """Text as upstream wrote it, with its `<image>` mark wherever that stands."""
        data = _decoder.decode(item.data)
        return Record(
            photo=photo_places(self.photos[item.split], data.file),
            file=data.file,
            ids={"conversation_ids": tuple(data.ids)},
            conversations=tuple(data.conversations),
        )
