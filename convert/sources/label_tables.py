"""Class tables: JSON files that say what the values of a source's label maps mean."""

from pathlib import Path

import msgspec

from convert.errors import ConfigError
from convert.record import LabelTable
from shards.classes import ClassInfo

_IGNORE = 255


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

    `classes` lists upstream's pixel `value`, the stored `id` and the name; `ignored` names the
    values that become 255.

    Raises:
        ConfigError: naming the file and what is wrong with it.
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
