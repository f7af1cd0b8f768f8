"""LLaVA-Instruct: conversations about a photo, without regions.

Layout: haotian-liu/LLaVA, `llava_instruct_150k.json`, a list of `{id, image, conversations}`.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from convert.record import Paths, Record
from convert.sources.annotations.coco import photo_paths
from convert.sources.annotations.layout import Layout
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot
from convert.sources.source import make_id
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


def scan(root: DataRoot, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, data) of each photo, with all its conversations, which share an id upstream."""
    photos: dict[str, _Data] = {}
    for row in read_json(root, path, list[_Row]):
        data = photos.setdefault(row.image, _Data(row.image, [], []))
        data.ids.append(row.id)
        data.conversations.append(tuple(Turn(t.speaker, t.text) for t in row.conversations))
    for data in photos.values():
        item_id = make_id(PurePosixPath(data.file).stem)
        yield item_id, msgspec.msgpack.encode(data)


def record(data: bytes, folders: Paths) -> Record:
    """The record of one photo. The text is upstream's, with its `<image>` marks."""
    photo = _decoder.decode(data)
    return Record(
        photo=photo_paths(folders, photo.file),
        file=photo.file,
        ids={"conversation_ids": tuple(photo.ids)},
        conversations=tuple(photo.conversations),
    )


CONVERSATIONS = Layout(scan=scan, record=record)
