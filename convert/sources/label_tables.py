"""Label tables: JSON files with the meaning of the values of a source's label maps."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from convert.errors import ConfigError
from convert.record import LabelTable
from convert.sources.files import DataRoot
from shards.classes import ClassInfo

_IGNORE = 255
_MAPILLARY_CONFIG = "config_v2.0.json"
_PARENTS = 4
"""Folders above the label maps in which that file is looked for."""


class _Class(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    value: int
    id: int
    name: str
    flags: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    ignored: dict[int, str]
    classes: list[_Class]


def read_table(path: Path) -> LabelTable:
    """Read `configs/classes/<name>.json`.

    In the file, `classes` lists the upstream pixel `value`, the stored `id` and the name of each
    class; `ignored` names the values that become 255.

    Raises:
        ConfigError: with the name of the file and the mistake in it.
    """
    try:
        table = msgspec.json.decode(path.read_bytes(), type=_Table)
    except OSError as error:
        raise ConfigError(f"no table {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    values = [*(row.value for row in table.classes), *table.ignored]
    ids = [row.id for row in table.classes]
    if len(set(values)) != len(values) or not all(0 <= value <= _IGNORE for value in values):
        raise ConfigError(f"{path}: values must be different and from 0 to 255")
    if len(set(ids)) != len(ids) or not all(0 <= number < _IGNORE for number in ids):
        raise ConfigError(f"{path}: ids must be different and from 0 to 254")
    lookup = bytearray([_IGNORE]) * (_IGNORE + 1)
    known = bytearray(_IGNORE + 1)
    for row in table.classes:
        lookup[row.value] = row.id
    for value in values:
        known[value] = 1
    classes = tuple(ClassInfo(row.id, row.name, row.flags) for row in table.classes)
    return LabelTable(path.stem, bytes(lookup), bytes(known), classes)


class _Label(msgspec.Struct, frozen=True):
    readable: str


class _MapillaryConfig(msgspec.Struct, frozen=True):
    labels: list[_Label]


def compare_classes(root: DataRoot, folder: str, table: LabelTable) -> Iterator[str]:
    """Yield how the classes of a download differ from the table.

    Only Mapillary Vistas has a list of its classes, in `config_v2.0.json`.

    Args:
        root: of the data.
        folder: of label maps; the list is in a folder above.
        table: the table to compare.
    """
    for parent in list(PurePosixPath(folder).parents)[:_PARENTS]:
        path = root.path / parent / _MAPILLARY_CONFIG
        if path.is_file():
            yield from _compare(path.read_bytes(), (parent / _MAPILLARY_CONFIG).as_posix(), table)
            return


def _compare(content: bytes, path: str, table: LabelTable) -> Iterator[str]:
    try:
        labels = msgspec.json.decode(content, type=_MapillaryConfig).labels
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield f"{path}: {error}; expected Mapillary's list of labels"
        return
    names = {row.id: row.name for row in table.classes}
    ours = [names.get(number, "") for number in table.lookup[: len(names)]]
    theirs = [label.readable for label in labels]
    if len(ours) != len(theirs):
        yield f"{path} has {len(theirs)} labels, table {table.name!r} has {len(ours)}"
    for value, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our != their:
            yield f"{path} calls {value} {their!r}, table {table.name!r} calls it {our!r}"
            return
