"""The same bytes and seeds at every step, with any ranks, threads and restarts."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import LoadError
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.load.mixture import Mixture
from shards.load.reading.reader import Reader
from shards.load.reading.split import Split
from shards.load.sampling.plan import EpochPlan, SampleOrder
from shards.load.schedule import Schedule
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
        found = list(islice(steps(loaders, None), len(whole) - stop))
        assert found == whole[stop:]


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
    found: list[Any] = []
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
        found += islice(steps(loaders, None), min(stop, len(whole) - len(found)))
        state = found[-1][1]
        for loader in loaders:
            loader.close()
    assert found == whole[: len(found)]


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
