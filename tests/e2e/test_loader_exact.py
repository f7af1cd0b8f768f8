"""The same bytes and seeds at every step, with any ranks, threads and restarts."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import LoadError
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.load.mixture import Mixture, MixtureDataset
from shards.load.reading.reader import Reader
from shards.load.reading.split import Selection, Split
from shards.load.sampling.plan import EpochPlan, SampleOrder
from shards.load.schedule import Schedule, digest_of
from tests.loading import make_loader, write_split

SHARDS = {1: [61], 2: [30, 31], 7: [9, 1, 20, 0, 3, 17, 11], 50: [1, 2] * 25}
WORLDS = (1, 2, 3, 8)
THREADS = (0, 1, 4)
BATCH, EPOCHS = 24, 2


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact")
    return {count: write_split(folder / str(count), sizes) for count, sizes in SHARDS.items()}


def exactly(batch):
    """Everything about a batch: key, bytes, item index and seed of each sample."""
    return [(raw.key, bytes(raw.data), raw.item_index, raw.seed) for raw in batch]


def steps(loaders: Sequence[Loader], count):
    """(what all ranks are given together, the state after it), batch after batch of some epochs."""
    for _ in range(EPOCHS):
        for batches in islice(zip(*loaders, strict=True), count):
            states = [loader.state_dict() for loader in loaders]
            assert all(state == states[0] for state in states)
            assert {len(batch) for batch in batches} == {len(batches[0])}
            yield list(chain.from_iterable(map(exactly, batches))), states[0]


@pytest.fixture(scope="module")
def undisturbed(splits):
    return {
        count: list(steps([make_loader(split, BATCH, tail="pad")], None))
        for count, split in splits.items()
    }


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("shards", SHARDS)
def test_resumed_at_every_step(splits, undisturbed, shards, world, threads):
    """By ranks that did not save the state, all the way through the next epoch."""
    whole = undisturbed[shards]
    ranks = range(world)
    for stop in range(len(whole)):
        options = LoaderOptions(threads=threads)
        loaders = [
            make_loader(splits[shards], BATCH, rank=rank, world=world, options=options, tail="pad")
            for rank in ranks
        ]
        if stop:
            for loader in loaders:
                loader.load_state_dict(whole[stop - 1][1])
        loaded = list(islice(steps(loaders, None), len(whole) - stop))
        assert loaded == whole[stop:]


@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(lambda s: sum(s) >= 12),
    batch=st.sampled_from([6, 12]),
    worlds=st.lists(st.sampled_from([1, 2, 3, 6]), min_size=2, max_size=4),
    threads=st.sampled_from(THREADS),
    stop=st.integers(1, 7),
    tail=st.sampled_from(["drop", "pad"]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_split_goes_from_world_to_world(  # noqa: PLR0913, PLR0917 - drawn
    tmp_path_factory, sizes, batch, worlds, threads, stop, tail
):
    split = write_split(tmp_path_factory.mktemp("any"), sizes)
    whole = list(steps([make_loader(split, batch, tail=tail)], None))
    loaded: list[Any] = []
    state = None
    for world in [*worlds, *worlds]:
        options = LoaderOptions(threads=threads)
        loaders = [
            make_loader(split, batch, rank=rank, world=world, options=options, tail=tail)
            for rank in range(world)
        ]
        if state:
            for loader in loaders:
                loader.load_state_dict(state)
        loaded += islice(steps(loaders, None), min(stop, len(whole) - len(loaded)))
        state = loaded[-1][1]
        for loader in loaders:
            loader.close()
    assert loaded == whole[: len(loaded)]


def test_a_seek_reads_nothing_on_the_way(splits, monkeypatch):
    """The last batch of a late epoch costs as many reads as the first one."""
    reads: list[int] = []
    read = Reader.read

    def counted(self, request, positions):
        reads.extend(request.locations.rows[positions.start : positions.stop].tolist())
        return read(self, request, positions)

    monkeypatch.setattr(Reader, "read", counted)
    loader = make_loader(splits[50], 3)
    last = len(loader) - 1
    loader.load_state_dict(loader.state_dict() | {"epoch": 1000, "batch": last})
    assert reads == []
    assert [len(batch) for batch in loader] == [3]
    assert len(reads) == 3
    assert loader.epoch == 1001


def test_a_state_is_small_whatever_the_mixture(splits, tmp_path):
    names = [f"member{number}" for number in range(40)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "train").symlink_to(splits[2])
    mixture = Mixture.of({"mix": dict.fromkeys(names, 1)}, tmp_path)
    state = make_loader(mixture, 8).state_dict()
    assert len(repr(state)) < 200
    assert all(isinstance(value, int | str) for value in state.values())


def test_ranks_that_cannot_share_the_batches_of_a_state(splits):
    """Batches of eight samples are not for three ranks; the message says what to do."""
    plan = EpochPlan([61], SampleOrder(8))
    with pytest.raises(LoadError, match="3 ranks evenly: take a number of ranks that divides 8"):
        Schedule(plan, [Split.open(splits[7])], rank=0, world_size=3, seed=0)


ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, "0be22bcc2d994709"),
    "rank": ({"rank": 1, "world": 2, "seed": 7, "block": 3, "streams": 4, "tail": "pad"},
             "0bb63088522f909a"),
    "stored": ({"shuffle": False}, "b0ea3a90e400747c"),
    "expand": ({"where": "phrases > 2", "expand": "phrases"}, "b212465a9fdb7656"),
}  # fmt: skip
MIX: dict[str, Any] = {
    "mix": {"a": 3, "rest": {"weight": 1, "of": {"b": 1, "c": {"weight": 1, "split": "val"}}}},
    "epoch_steps": 10,
}
MIXTURES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "mix": ({}, {}, "ac8f7849a9f1bdd1"),
    "stop": ({"at_end": "stop"}, {}, "a1bfb069a8b2755d"),
    "groups": ({"batches_of_one_group": True}, {"seed": 3}, "803d512667dce215"),
    "rounded": ({"mix": {"a": 0.3, "b": 0.123457}}, {"rank": 1, "world": 2}, "61bb370cac5b7797"),
}


def fingerprint(loader):
    """Of everything that is random in two epochs."""
    digest = hashlib.sha256()
    for _ in range(2):
        for batch in loader:
            rows = [(r.key, r.dataset_index, r.row, r.item_index, r.seed) for r in batch]
            digest.update(repr(rows).encode())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    write_split(folder / "a" / "train", [9, 1, 20, 0, 3, 17, 11])
    write_split(folder / "b" / "train", [7, 8, 9], first=100)
    write_split(folder / "c" / "val", [10], first=200)
    return folder


@pytest.mark.parametrize("name", ORDERS)
def test_orders_and_seeds_never_change(three, name):
    """A training run that resumes with another version continues in the same order."""
    arguments, expected = ORDERS[name]
    assert fingerprint(make_loader(three / "a" / "train", 12, **arguments)) == expected


@pytest.mark.parametrize("name", MIXTURES)
def test_orders_of_mixtures_never_change(three, name):
    change, arguments, expected = MIXTURES[name]
    mixture = Mixture.of(MIX | change, three)
    assert fingerprint(make_loader(mixture, 8, **arguments)) == expected


def test_the_digest_of_a_state_never_changes():
    """A state that an older version saved is accepted."""
    splits: list[Any] = [
        SimpleNamespace(manifest=SimpleNamespace(checksum=name), selection=Selection(*selection))
        for name, selection in (("one", ()), ("two", ("masks > 1", "phrases")))
    ]
    order = SampleOrder(48, 5, True, 3, 4, "pad")  # noqa: FBT003 - all fields, in order
    members = [
        MixtureDataset("a", "OUT/a", Fraction(1, 3)),
        MixtureDataset("b", "OUT/b", Fraction(2, 3), 1),
    ]
    mixture = Mixture(members, (Fraction(1, 2),), epoch_steps=9)
    assert digest_of("OUT", splits[:1], order) == "b151ac1c9b801dcd"
    assert digest_of(mixture, splits, order) == "ccf566f1469d2aee"
