"""The plan: which item is in which shard, and what makes it another plan."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.errors import SourceLayoutError
from convert.plan import (
    PlanPolicy,
    even_cuts,
    expect_splits,
    expect_unique,
    fingerprint,
    plan_digest,
    plan_split,
    shard_name,
)
from convert.record import Item

SOURCE_ORDER = PlanPolicy(items_per_shard=3, order="source")
SHUFFLED = PlanPolicy(items_per_shard=3)


def make(count: int) -> list[Item]:
    return [Item(f"{number:04d}", "train", b"data") for number in range(count)]


def plan(items, policy=SHUFFLED, mark=b"", source="a", split="train"):
    return list(plan_split(source, split, items, policy, mark))


@settings(max_examples=100)
@given(st.integers(0, 60), st.integers(1, 12), st.none() | st.integers(0, 70), st.booleans())
def test_every_item_once_in_even_shards(count, size, limit, shuffled) -> None:
    items = make(count)
    policy = PlanPolicy(size, "shuffled" if shuffled else "source", limit=limit)
    shards = plan(items, policy)
    taken = [item for _, part in shards for item in part]
    expected = min(count, count if limit is None else limit)
    assert len(taken) == expected
    assert set(taken) <= set(items)
    assert max(Counter(taken).values(), default=1) == 1
    assert len(shards) == -(-expected // size)
    lengths = [len(part) for _, part in shards]
    assert not lengths or (max(lengths) <= size and max(lengths) - min(lengths) <= 1)
    assert [task.count for task, _ in shards] == lengths
    assert [task.number for task, _ in shards] == list(range(len(shards)))
    if not shuffled:
        assert taken == items[:expected]


@given(st.permutations(make(12)), st.integers(1, 12))
def test_a_shuffle_depends_on_ids_alone(items, limit) -> None:
    policy = PlanPolicy(5, limit=limit)
    assert plan(items, policy) == plan(make(12), policy)


def test_a_shuffle_does_shuffle() -> None:
    items = make(200)
    taken = [item for _, part in plan(items, PlanPolicy(1000)) for item in part]
    assert taken != items
    assert sorted(item.id for item in taken) == [item.id for item in items]
    other = [item for _, part in plan(items, PlanPolicy(1000, seed=1)) for item in part]
    assert other != taken
    near = sum(abs(taken.index(item) - place) < 10 for place, item in enumerate(items))
    assert near < 50  # of 200: neighbours are torn apart
    elsewhere = [item for _, part in plan(items, PlanPolicy(1000), source="b") for item in part]
    assert elsewhere != taken


def test_a_larger_limit_goes_on_where_the_smaller_stopped() -> None:
    few = [i for _, part in plan(make(50), PlanPolicy(9, limit=20)) for i in part]
    more = [i for _, part in plan(make(50), PlanPolicy(9, limit=30)) for i in part]
    assert more[:20] == few


def digests(*arguments, **options) -> list[str]:
    return [task.digest for task, _ in plan(*arguments, **options)]


def test_a_digest_changes_with_what_decides_bytes_and_nothing_else() -> None:
    items = make(9)
    plain = digests(items)
    assert digests(make(9)) == plain
    assert all(len(digest) == 64 for digest in plain)
    assert not set(digests(items, mark=b"x")) & set(plain)
    assert len(set(plain)) == len(plain)
    for number, item in enumerate(items):
        for other in (
            Item(item.id, item.split, b"other data"),
            Item(f"{item.id}x", item.split, item.data),
        ):
            changed = [*items[:number], other, *items[number + 1 :]]
            found = digests(changed, SOURCE_ORDER)
            same = [a == b for a, b in zip(found, digests(items, SOURCE_ORDER), strict=True)]
            assert same == [place != number // 3 for place in range(3)]
    turned = digests([*items[:3][::-1], *items[3:]], SOURCE_ORDER)
    assert turned[0] != digests(items, SOURCE_ORDER)[0]
    assert turned[1:] == digests(items, SOURCE_ORDER)[1:]


def test_digests_cannot_be_confused_by_where_one_part_ends() -> None:
    assert fingerprint("a", "b") != fingerprint("ab")
    assert fingerprint(["a"], "b") != fingerprint(["a", "b"])
    assert fingerprint(1) != fingerprint("1")
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert digests([Item("a", "b")]) != digests([Item("ab", "")])


def test_the_plans_digest() -> None:
    tasks = [task for task, _ in plan(make(9))]
    assert plan_digest(tasks) == plan_digest(iter(tasks))
    assert plan_digest(tasks) != plan_digest(tasks[:2])
    assert plan_digest(tasks) != plan_digest(tasks[::-1])


def test_names() -> None:
    (task, _), *_ = plan(make(1), source="refcoco", split="testA")
    assert (task.folder, task.shard) == ("refcoco/testA", "refcoco-testA-000000")
    assert shard_name("a", "b", 1_234_567) == "a-b-1234567"


@given(st.integers(0, 10_000), st.integers(0, 300))
def test_even_cuts(length, parts) -> None:
    cuts = even_cuts(length, parts)
    if parts == 0:
        assert cuts == []
        return
    steps = [stop - start for start, stop in pairwise(cuts)]
    assert (cuts[0], cuts[-1], len(steps)) == (0, length, parts)
    assert max(steps) - min(steps) <= 1


def test_ids_are_unique_over_splits() -> None:
    expect_unique("a", make(5))
    twice = [*make(5), Item("0003", "val"), Item("0001", "train")]
    with pytest.raises(
        SourceLayoutError, match="a: 2 photos come more than once, such as 0001, 0003"
    ):
        expect_unique("a", twice)


def test_splits_are_known() -> None:
    expect_splits("a", make(2), ("train", "val"))
    with pytest.raises(SourceLayoutError, match="testC"):
        expect_splits("a", [*make(2), Item("x", "testC")], ("train", "val"))
