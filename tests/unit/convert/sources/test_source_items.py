"""Ids from names, and the splits that are ready."""

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convert.sources.files import DataRoot
from convert.sources.source import Need, make_id, missing_needs, ready_splits
from shards.layout import check_sample
from tests.unit.shards.test_sample import make


@settings(max_examples=200)
@given(st.text(st.characters(codec=None), max_size=70))
@example("../../etc/passwd")
@example("a" * 48)
@example("a" * 49)
@example("\ud800")
@example("")
@example("é" * 60)
def test_any_name_gives_a_key(name) -> None:
    found = make_id(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,48}", found)
    assert make_id(name) == found
    check_sample(make(key=f"{'s' * 39}-{found}"))
    if found != name:
        assert make_id(found) == found
        assert make_id(f"{name}x") != found


def test_good_names_stay() -> None:
    for name in ("sa_10010541", "__CRyFzoDOXn6unQ6a3DnQ", "000000581857", "-"):
        assert make_id(name) == name


def test_names_that_differ_only_in_what_is_replaced() -> None:
    names = ["a b", "a.b", "a/b", "a\\b", "a\nb", "a b ", "x" * 60, "x" * 61]
    assert len({make_id(name) for name in names}) == len(names)


class Stub:
    """The part of a source that states its needs."""

    splits = ("train", "val")

    def __init__(self, *needs: Need) -> None:
        self._needs = needs

    def needs(self) -> tuple[Need, ...]:
        return self._needs


@pytest.mark.parametrize(
    ("there", "ready", "missing"),
    [
        ([], (), ["rows", "photos of train", "photos of val"]),
        (["rows"], (), ["photos of train", "photos of val"]),
        (["rows", "train"], ("train",), ["photos of val"]),
        (["rows", "old/val"], ("val",), ["photos of train"]),
        (["train", "val"], (), ["rows"]),
        (["rows", "train", "val"], ("train", "val"), []),
    ],
)
def test_a_split_is_ready_when_all_it_needs_is_there(tmp_path, there, ready, missing) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    source: Any = Stub(
        Need("annotations", ("rows",), name="rows"),
        Need("photos", ("train",), "train"),
        Need("photos", ("val", "old/val"), "val"),
    )
    root = DataRoot(tmp_path)
    assert ready_splits(source, root) == ready
    assert [need.label for need in missing_needs(source, root)] == missing
