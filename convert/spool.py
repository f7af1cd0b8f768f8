"""The items of a task, on disk between planning and work."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from convert.plan import ShardTask
from convert.source import Item
from shards.errors import CorruptShardError

WORK = ".work"
"""Folder in the output for what a running job needs; gone when the job is done."""


def items_path(out: Path, task: ShardTask) -> Path:
    """Where a task finds its items."""
    return out / WORK / task.folder / f"{task.shard}.items"


def write_items(path: Path, items: Sequence[Item]) -> None:
    """Spool a task's items; `read_items` notices a file that is cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(items))


def read_items(out: Path, task: ShardTask) -> list[Item]:
    """The items of a task.

    Raises:
        CorruptShardError: if the spooled file is not whole.
    """
    path = items_path(out, task)
    try:
        items = msgspec.msgpack.decode(path.read_bytes(), type=list[Item])
    except msgspec.DecodeError as error:
        raise CorruptShardError(f"{path}: {error}; run again to plan anew") from error
    if len(items) != task.count:
        raise CorruptShardError(f"{path}: {len(items)} items, planned were {task.count}")
    return items
