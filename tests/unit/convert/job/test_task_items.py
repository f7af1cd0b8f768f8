"""The items of a task: what the planner writes is what the worker reads, or an error."""

import pytest

from convert.job.task import items_path, read_items, write_items
from convert.plan import ShardTask
from convert.record import Item
from shards.errors import CorruptShardError

ITEMS = [Item("one", "train", b"data"), Item("two", "train")]
TASK = ShardTask("refcoco", "train", 3, len(ITEMS), "digest")


def test_items_are_read_as_written(tmp_path) -> None:
    write_items(tmp_path, TASK, ITEMS)
    assert read_items(tmp_path, TASK) == ITEMS
    assert items_path(tmp_path, TASK).name == "refcoco-train-000003.items"


def test_a_file_that_is_cut_short_is_an_error(tmp_path) -> None:
    write_items(tmp_path, TASK, ITEMS)
    path = items_path(tmp_path, TASK)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptShardError, match="run the same command again"):
        read_items(tmp_path, TASK)


def test_another_number_of_items_is_an_error(tmp_path) -> None:
    write_items(tmp_path, TASK, ITEMS[:1])
    with pytest.raises(CorruptShardError, match="1 items, expected 2; run the same command again"):
        read_items(tmp_path, TASK)
