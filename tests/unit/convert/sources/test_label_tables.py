"""Class tables: what they make of values, and each mistake they may hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from convert.errors import ConfigError
from convert.sources.label_tables import read_table

ROOT = Path(__file__).parents[4]
WALL = {"value": 1, "id": 0, "name": "wall"}
DOG = {"value": 7, "id": 1, "name": "dog", "flags": ["thing"]}


def write(path: Path, **changes: Any) -> Path:
    table = {"source": "where it is from", "ignored": {"0": "other"}, "classes": [WALL, DOG]}
    path.write_text(json.dumps({**table, **changes}))
    return path


def test_a_table(tmp_path) -> None:
    table = read_table(write(tmp_path / "two.json"))
    assert table.name == "two"
    assert [i for i in range(256) if table.known[i]] == [0, 1, 7]
    assert (table.lookup[1], table.lookup[7]) == (0, 1)
    assert {table.lookup[i] for i in range(256) if i not in {1, 7}} == {255}
    assert [(row.id, row.name, row.flags) for row in table.classes] == [
        (0, "wall", ()),
        (1, "dog", ("thing",)),
    ]
    assert len(table.lookup) == len(table.known) == 256


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "classes").glob("*.json")), ids=str)
def test_shipped_tables(path) -> None:
    table = read_table(path)
    assert len(table.classes) > 10
    assert len({row.id for row in table.classes}) == len(table.classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [WALL, {**DOG, "value": 1}]}, "values must be different"),
        ({"classes": [WALL, {**DOG, "value": 0}]}, "values must be different"),
        ({"classes": [{**WALL, "value": 256}]}, "from 0 to 255"),
        ({"classes": [{**WALL, "value": -1}]}, "from 0 to 255"),
        ({"ignored": {"256": ""}}, "from 0 to 255"),
        ({"ignored": {"1": ""}}, "values must be different"),
        ({"ignored": {"other": ""}}, "ignored"),
        ({"ignored": {"": ""}}, "ignored"),
        ({"classes": [WALL, {**DOG, "id": 0}]}, "ids must be different"),
        ({"classes": [{**WALL, "id": 255}]}, "from 0 to 254"),
        ({"classes": [{**WALL, "id": -1}]}, "from 0 to 254"),
        ({"classes": [{"value": 1, "id": 0}]}, "name"),
        ({"classes": [{**WALL, "colour": "red"}]}, "colour"),
        ({"classes": [{**WALL, "value": "1"}]}, "int"),
        ({"more": 1}, "more"),
    ],
)
def test_mistakes(tmp_path, changes, message) -> None:
    path = write(tmp_path / "two.json", **changes)
    with pytest.raises(ConfigError, match=rf"two\.json.*{message}"):
        read_table(path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"source": "\xff"}', b"[" * 100_000])
def test_other_files(tmp_path, content) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.json"):
        read_table(tmp_path / "x.json")
    with pytest.raises(ConfigError, match="no table"):
        read_table(tmp_path / "absent.json")
