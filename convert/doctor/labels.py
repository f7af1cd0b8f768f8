"""Label maps of another edition: their values, and the list of classes that is beside some."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from convert.errors import RecordError
from convert.image.header import read_label_map_header
from convert.image.policy import ImagePolicy
from convert.record import LabelTable, Record
from convert.sample.labels import store_labels
from convert.sources.files import DataRoot

_LABEL_MAPS = 20
"""Label maps of a source that are looked into: the wrong edition shows in any of them."""
_CONFIG = "config_v2.0.json"
_ABOVE = 4


class _Label(msgspec.Struct, frozen=True):
    readable: str


class _Config(msgspec.Struct, frozen=True):
    labels: list[_Label]


def check_some(root: DataRoot, records: list[Record]) -> tuple[int, list[str]]:
    """(label maps looked into, what is wrong with them)."""
    some = records[:: max(1, len(records) // _LABEL_MAPS)]
    return len(some), [wrong for record in some for wrong in _check(root, record)]


def _check(root: DataRoot, record: Record) -> Iterator[str]:
    policy = ImagePolicy()
    labels = record.labels
    if labels is None:
        return
    place = labels.places[0]
    try:
        found = root.read_first(labels.places, max_bytes=policy.max_bytes)
        if found:
            place, data = found
            header = read_label_map_header(data, policy)
            store_labels(data, header, labels.table, header.size, header.size)
    except (RecordError, OSError) as error:
        yield f"{place}: {error}"


def compare_classes(root: DataRoot, folder: str, table: LabelTable) -> Iterator[str]:
    """What Mapillary's own list of classes, above its label maps, has other than the table."""
    for above in list(PurePosixPath(folder).parents)[:_ABOVE]:
        path = root.path / above / _CONFIG
        if path.is_file():
            yield from _compare(path.read_bytes(), (above / _CONFIG).as_posix(), table)
            return


def _compare(data: bytes, place: str, table: LabelTable) -> Iterator[str]:
    try:
        labels = msgspec.json.decode(data, type=_Config).labels
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield f"{place}: {error}; expected Mapillary's list of labels"
        return
    names = {row.id: row.name for row in table.classes}
    ours = [names.get(number, "") for number in table.lookup[: len(names)]]
    theirs = [label.readable for label in labels]
    if len(ours) != len(theirs):
        yield f"{place} has {len(theirs)} labels, table {table.name!r} has {len(ours)}"
    for value, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our != their:
            yield f"{place} calls {value} {their!r}, table {table.name!r} calls it {our!r}"
            return
