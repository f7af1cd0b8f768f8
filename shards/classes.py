"""The label table of a split: `classes.json`, in splits with label maps."""

from pathlib import Path

import msgspec

from shards.errors import CorruptShardError

CLASSES = "classes.json"


class ClassInfo(msgspec.Struct, frozen=True):
    """One row of a label table: the stored pixel value, the name of the class, and its flags."""

    id: int
    name: str
    flags: tuple[str, ...] = ()


def read_classes(folder: Path) -> tuple[ClassInfo, ...]:
    """The label table of a split's folder; empty if the folder has none.

    Raises:
        CorruptShardError: if the file is not a label table.
    """
    path = folder / CLASSES
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[ClassInfo, ...])
    except FileNotFoundError:
        return ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptShardError(f"{path}: not a table of classes: {error}") from error
