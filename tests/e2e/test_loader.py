"""Batches hold the right bytes in the right order, with any ranks, threads and restarts."""

import pickle
import threading
from collections import Counter
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import CorruptShardError, ExampleError, LoadError
from shards.load.batches import LoaderOptions
from shards.load.mixture import Mixture, MixtureDataset, shipped_mixes
from shards.load.reading.split import Selection, Split
from tests.loading import make_loader, make_sample, numbers, write_split

SHARDS = {1: [61], 2: [30, 31], 7: [9, 1, 20, 0, 3, 17, 11], 50: [1, 2] * 25}
WORLDS = (1, 2, 3, 8)
THREADS = (0, 1, 4)
BATCH = 24


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    return {count: write_split(folder / str(count), sizes) for count, sizes in SHARDS.items()}


def load_all(loader):
    return [numbers(batch) for batch in loader]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("shards", SHARDS)
def test_ranks_share_every_sample_in_equal_batches(splits, shards, world, threads):
    options = LoaderOptions(threads=threads)
    alone = load_all(make_loader(splits[shards], BATCH, tail="pad"))
    ranks = [
        load_all(
            make_loader(splits[shards], BATCH, rank=rank, world=world, options=options, tail="pad")
        )
        for rank in range(world)
    ]
    assert {len(batches) for batches in ranks} == {len(alone)}
    assert {len(batch) for batches in ranks for batch in batches} == {BATCH // world}
    together = [[each for rank in ranks for each in rank[n]] for n in range(len(alone))]
    assert together == alone
    count = sum(SHARDS[shards])
    assert set(chain.from_iterable(alone)) == set(range(count))
    assert max(Counter(chain.from_iterable(alone[:-1])).values()) == 1


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("drop", ": 2 batches of 12 for each of 2 ranks in an epoch; 13 of 61 samples do not "),
        ("pad", ": 3 batches of 12 for each of 2 ranks in an epoch; the last is filled with 11 "),
    ],
)
def test_samples_that_do_not_fill_a_batch_are_logged_once(splits, caplog, tail, words):
    caplog.set_level("INFO", "shards.load")
    for rank in range(2):
        make_loader(splits[7], BATCH, rank=rank, world=2, tail=tail)
    (record,) = caplog.records
    assert f"{splits[7]}{words}" in record.getMessage()


@pytest.mark.parametrize("shards", SHARDS)
def test_a_job_that_stops_anywhere_continues_as_if_it_had_not(splits, shards):
    """On eight ranks, then on two, then on eight: at every step."""

    def ranks(world, state, epochs):
        loaders = [
            make_loader(splits[shards], BATCH, rank=rank, world=world) for rank in range(world)
        ]
        for loader in loaders:
            if state:
                loader.load_state_dict(state)
        for _ in range(epochs):
            for batches in zip(*loaders, strict=True):
                states = [loader.state_dict() for loader in loaders]
                assert all(each == states[0] for each in states)
                yield list(chain.from_iterable(map(numbers, batches))), states[0]

    undisturbed = [batch for batch, _ in ranks(1, None, 3)]
    for stop in range(1, len(undisturbed)):
        loaded: list[list[int]] = []
        state, world = None, 8
        while len(loaded) < len(undisturbed):
            for batch, after in ranks(world, state, 3):
                loaded.append(batch)
                if len(loaded) % stop == 0 or len(loaded) == len(undisturbed):
                    state = after
                    break
            world = 10 - world
        assert loaded == undisturbed


@given(stop=st.integers(0, 4), threads=st.sampled_from(THREADS))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_prefetched_batches_are_not_lost_at_a_stop(splits, stop, threads):
    options = LoaderOptions(threads=threads, prefetch=3)
    loader = make_loader(splits[7], 12, options=options)
    loaded = [numbers(batch) for _, batch in zip(range(stop), loader, strict=False)]
    fresh = make_loader(splits[7], 12)
    fresh.load_state_dict(loader.state_dict())
    assert loaded + load_all(fresh) == load_all(make_loader(splits[7], 12))


def test_a_state_is_small_and_plain(splits):
    loader = make_loader(splits[7], 6)
    next(iter(loader))
    state = loader.state_dict()
    assert state == {
        "epoch": 0, "batch": 1, "batch_size": 6, "data": state["data"], "version": 1,
    }  # fmt: skip
    assert len(pickle.dumps(state)) < 4096


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 12}, "ranks x batch_size = 12"),
        ({"data": "another"}, "other data or another order"),
        ({"version": 2}, "version 2"),
        ({"epoch": "one"}, "not a loader's state"),
        ({"epoch": -1}, "epoch -1"),
        ({"epoch": 2**40}, "epoch 1099511627776; expected 0 or more"),
        ({"batch": -1}, "batch -1"),
        ({"batch": 10}, "a state of batch 10, but epoch 0 has 10 batches"),
        (
            {"workers": 2, "inside": 0},
            "it has inside, workers. A state of a DataLoader's worker is",
        ),
    ],
)
def test_states_that_are_refused(splits, change, message):
    loader = make_loader(splits[7], 6)
    with pytest.raises(LoadError, match=message):
        loader.load_state_dict(loader.state_dict() | change)


@pytest.mark.parametrize("epoch", [-1, 2**63])
def test_epochs_out_of_range(splits, epoch):
    with pytest.raises(LoadError, match=f"epoch {epoch}; expected 0 or more"):
        make_loader(splits[7], 6).set_epoch(epoch)


@pytest.mark.parametrize(
    "settings", [{"threads": -1}, {"prefetch": -2}, {"memory": -1}, {"skip": "many"}]
)
def test_options_out_of_range(settings):
    with pytest.raises(LoadError, match=f"LoaderOptions: {next(iter(settings))} is .*0 or more"):
        LoaderOptions(**settings)


def test_other_orders_have_other_states(splits):
    digests = {
        make_loader(splits[7], 6, **order).state_dict()["data"]
        for order in ({}, {"seed": 1}, {"block": 3}, {"shuffle": False}, {"streams": 2})
    }
    digests.add(make_loader(splits[7], 6, expand="phrases").state_dict()["data"])
    assert len(digests) == 6


def test_epochs_follow_each_other_and_can_be_set(splits):
    loader = make_loader(splits[7], 6)
    first, second = load_all(loader), load_all(loader)
    assert loader.epoch == 2
    assert first != second
    loader.set_epoch(1)
    assert load_all(loader) == second
    loader.set_epoch(0)
    before = [numbers(batch) for _, batch in zip(range(3), loader, strict=False)]
    loader.set_epoch(0)  # the loader is in this epoch: no batch comes twice
    assert before + load_all(loader) == first


def test_stored_order(splits):
    loader = make_loader(splits[7], 10, shuffle=False, tail="pad")
    assert list(chain.from_iterable(load_all(loader)))[:61] == list(range(61))


def test_bytes_are_those_of_the_sample(splits):
    for batch in make_loader(splits[2], 6):
        for number, raw in zip(numbers(batch), batch, strict=True):
            assert raw.sample() == make_sample(number)
            assert raw.row == number


def test_a_sample_for_each_phrase(splits):
    loader = make_loader(splits[7], 10, expand="phrases", tail="pad")
    loaded = [
        (number, raw.item_index) for b in loader for number, raw in zip(numbers(b), b, strict=True)
    ]
    expected = {(number, item) for number in range(61) for item in range(number % 10)}
    assert set(loaded) == expected
    assert len(loaded) - len(expected) < 10


def test_a_query_selects(splits):
    loader = make_loader(
        splits[50],
        5,
        where="classes contains 'dog' and phrases > 4",
        expand="phrases",
        tail="pad",
    )
    loaded = {(n, raw.item_index) for b in loader for n, raw in zip(numbers(b), b, strict=True)}
    assert loaded == {(n, w) for n in range(75) if n % 2 and n % 10 > 4 for w in range(n % 10)}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"expand": "size"}, "expand is 'size'; expected one of regions"),
        ({"where": "weight > 3"}, "no column 'weight'"),
        ({"where": "masks > 0"}, "there is no sample to load"),
    ],
)
def test_selections_that_are_refused(splits, selection, message):
    with pytest.raises(LoadError, match=message):
        make_loader(splits[7], 4, **selection)


def test_seeds_belong_to_the_sample_and_the_epoch(splits):
    def seeds(world, threads):
        options = LoaderOptions(threads=threads)
        return {
            (epoch, raw.row): raw.seed
            for rank in range(world)
            for loader in [make_loader(splits[7], BATCH, rank=rank, world=world, options=options)]
            for epoch in range(2)
            for batch in loader
            for raw in batch
        }

    alone = seeds(1, 0)
    assert len(set(alone.values())) == len(alone)
    assert seeds(8, 2) == alone


def test_examples_in_order(splits):
    loader = make_loader(splits[7], 6, options=LoaderOptions(threads=3))
    raw = [[(each.key, each.seed, each.item_index) for each in batch] for batch in loader]
    loader = make_loader(
        splits[7],
        6,
        options=LoaderOptions(threads=3),
        example=lambda sample, seed, item_index: (sample.key, seed, item_index),
    )
    assert list(loader) == raw


def test_an_example_for_each_dataset_of_a_mixture(two):
    mixture = Mixture.of(MIX, two)
    examples = [
        lambda sample, _seed, _item_index, name=member.name: (name, sample.key[-3])
        for member in mixture.members
    ]
    loader = make_loader(mixture, 8, example=examples)
    loaded = set(chain.from_iterable(loader))
    assert loaded == {("a", "0"), ("rest/b", "1"), ("rest/c", "2")}


def only_even(sample, seed, _item_index):
    """Odd numbers make no example."""
    number = int(sample.key.removeprefix("small-"))
    if number % 2:
        raise ExampleError(f"{sample.key} is odd")
    return number, seed


def test_a_sample_that_makes_no_example_is_replaced(splits):
    """By the same one on any rank; and the batch keeps its length."""

    def examples(world, threads):
        ranks = []
        for rank in range(world):
            options = LoaderOptions(threads=threads)
            loader = make_loader(
                splits[7],
                BATCH,
                rank=rank,
                world=world,
                options=options,
                example=only_even,
            )
            ranks.append(list(loader))
            assert loader.replaced > 0
            assert loader.skipped == 0
        return [list(chain.from_iterable(each)) for each in zip(*ranks, strict=True)]

    alone = examples(1, 0)
    assert {len(batch) for batch in alone} == {BATCH}
    assert len({seed for batch in alone for _, seed in batch}) == 2 * BATCH
    assert examples(8, 2) == examples(3, 0) == alone


def test_examples_that_no_sample_can_make(splits):
    def never(sample, _seed, _item_index):
        raise ExampleError(f"{sample.key}: no")

    loader = make_loader(splits[7], 6, example=never)
    with pytest.raises(
        LoadError, match="none of 100 samples drawn at random could make an example"
    ):
        next(iter(loader))


def damage(folder: Path, shard: int, offset: int) -> None:
    path = sorted(folder.glob("*.tar"))[shard]
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("threads", THREADS)
def test_damage_is_an_error_that_says_where(tmp_path, threads):
    folder = write_split(tmp_path / "damaged", [10, 10])
    damage(folder, 1, 600)
    loader = make_loader(folder, 5, options=LoaderOptions(threads=threads))
    with pytest.raises(
        CorruptShardError, match=r"small-train-000001\.tar, byte 0: .*shards\.verify"
    ):
        list(loader)
    assert threading.active_count() == 1


@pytest.mark.parametrize("threads", THREADS)
def test_damage_is_skipped_up_to_a_limit(tmp_path, threads, caplog):
    folder = write_split(tmp_path / "damaged", [10, 10])
    damage(folder, 1, 600)
    loader = make_loader(folder, 5, options=LoaderOptions(threads=threads, skip=1))
    loaded = load_all(loader)
    assert sorted(chain.from_iterable(loaded)) == [n for n in range(20) if n != 10]
    assert len(loaded) == 4
    assert loader.skipped == 1
    assert "skipped a sample (1 of at most 1)" in caplog.text
    for _ in range(3):  # the same sample is damaged in every epoch
        assert sum(map(len, load_all(loader))) == 19
    assert loader.skipped == 1
    damage(folder, 0, 600)
    with pytest.raises(LoadError, match="2 samples could not be loaded, and skip=1 allows no more"):
        list(loader)


def test_a_batch_of_which_every_sample_is_skipped(tmp_path):
    folder = write_split(tmp_path / "gone", [4, 4])
    sorted(folder.glob("*.tar"))[1].unlink()
    loader = make_loader(
        folder,
        2,
        shuffle=False,
        options=LoaderOptions(threads=0, skip=100),
        example=lambda sample, _seed, _item_index: sample.key,
    )
    with pytest.raises(LoadError, match="epoch 0, batch 2: every sample of the batch was skipped"):
        list(loader)


def test_a_missing_shard_is_an_error_that_says_which(tmp_path):
    folder = write_split(tmp_path / "gone", [4, 4])
    min(folder.glob("*.tar")).unlink()
    with pytest.raises(CorruptShardError, match=r"small-train-000000\.tar"):
        list(make_loader(folder, 8))


def test_a_shard_cut_short(tmp_path):
    folder = write_split(tmp_path / "short", [4, 4])
    path = sorted(folder.glob("*.tar"))[1]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(CorruptShardError, match=r"small-train-000001\.tar, byte \d+"):
        list(make_loader(folder, 8))


def test_leaving_early_leaves_no_thread(splits):
    for _ in range(20):
        batches = iter(make_loader(splits[7], 6, options=LoaderOptions(threads=4)))
        next(batches)
        batches.close()
    assert threading.active_count() == 1


def test_memory_is_bounded(splits):
    loader = make_loader(splits[7], 6, options=LoaderOptions(threads=2, prefetch=50, memory=1))
    assert load_all(loader) == load_all(make_loader(splits[7], 6))


def test_batches_that_are_held_keep_their_bytes(splits):
    held = list(make_loader(splits[7], 6, options=LoaderOptions(threads=2)))
    assert [numbers(batch) for batch in held] == load_all(make_loader(splits[7], 6))


def test_a_split_moves_to_another_process(splits):
    moved = pickle.loads(pickle.dumps(Split.open(splits[7], Selection("phrases > 2"))))
    assert load_all(make_loader(moved, 4)) == load_all(
        make_loader(splits[7], 4, where="phrases > 2")
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    write_split(folder / "a" / "train", [20, 20])
    write_split(folder / "b" / "train", [7, 8, 9], first=100)
    write_split(folder / "c" / "val", [10], first=200)
    return folder


MIX = {
    "mix": {"a": 3, "rest": {"weight": 1, "of": {"b": 1, "c": {"weight": 1, "split": "val"}}}},
    "epoch_steps": 10,
}


def test_a_mixture_has_exact_shares(two):
    mixture = Mixture.of(MIX, two)
    assert [member.share for member in mixture.members] == [Fraction(n, 8) for n in (6, 1, 1)]
    loader = make_loader(mixture, 8)
    for _ in range(3):
        for batch in loader:
            assert Counter(n // 100 for n in numbers(batch)).most_common()[0] == (0, 6)
    assert loader.epoch == 3


def test_a_mixture_goes_on_in_the_next_epoch(two):
    loader = make_loader(Mixture.of(MIX | {"epoch_steps": 5}, two), 8)
    loaded = Counter(n for _ in range(2) for batch in loader for n in numbers(batch))
    assert {n for n in loaded if n < 100} == set(range(40))  # 2 x 5 x 6 of 40: each at least once
    assert max(count for n, count in loaded.items() if n < 100) == 2


@pytest.mark.parametrize("world", [1, 2])
def test_a_mixture_resumes_anywhere(two, world):
    mixture = Mixture.of(MIX, two)
    whole = [n for _ in range(2) for n in load_all(make_loader(mixture, 8))]
    for stop in range(10):
        loaders = [make_loader(mixture, 8, rank=rank, world=world) for rank in range(world)]
        states = [loader.state_dict() | {"batch": stop} for loader in loaders]
        for loader, state in zip(loaders, states, strict=True):
            loader.load_state_dict(state)
        parts = [numbers(next(iter(loader))) for loader in loaders]
        assert list(chain.from_iterable(parts)) == whole[stop]


def test_batches_of_one_group(two):
    values = {
        "batches_of_one_group": True,
        "mix": {
            "a": 0.75,
            "rest": {"weight": 0.25, "of": {"b": 1, "c": {"weight": 1, "split": "val"}}},
        },
        "epoch_steps": 8,
    }
    mixture = Mixture.of(values, two)
    assert [member.name for member in mixture.members] == ["a", "rest/b", "rest/c"]
    for world in (1, 2):
        loader = make_loader(mixture, 4, world=world)
        kinds = [{min(n // 100, 1) for n in numbers(batch)} for batch in loader]
        assert all(len(kind) == 1 for kind in kinds)
        assert sum(kind == {0} for kind in kinds) == 6


def test_a_mixture_that_stops(two):
    mixture = Mixture.of(MIX | {"at_end": "stop", "epoch_steps": None}, two)
    loaded = list(chain.from_iterable(load_all(make_loader(mixture, 4))))
    assert len(set(loaded)) == len(loaded) >= 36


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mix": {}}, "a dataset of the mixture|no sample|expected"),
        ({"mix": {"a": 0}}, "a: expected a weight above 0, found 0"),
        ({"mix": {"a": {"split": "train"}}}, "a: expected a weight above 0, found None"),
        ({"mix": {"a": {"weight": 1, "of": 3}}}, "a: expected names with weights"),
        (
            {"mix": {"a": {"weight": 1, "spilt": "x"}}},
            "a: unknown spilt; expected expand, split, task, weight, where",
        ),
        ({"mix": {"g": {"weight": 1, "of": {"a": "x"}}}}, "g/a: expected a weight above 0"),
        ({"epoch": 3}, "unknown epoch; expected at_end"),
        ({"epoch_samples": 3}, "epoch_steps and epoch_samples both set"),
        ({"epoch_steps": 1.5}, "epoch_steps is 1.5; expected a whole number"),
        ({"epoch_steps": None, "epoch_samples": "9"}, "epoch_samples is '9'"),
        ({"epoch_steps": True}, "epoch_steps is True"),
        ({"at_end": "cry"}, "at_end is 'cry'"),
        ({"at_end": "stop", "batches_of_one_group": True}, "contradict each other"),
        ({"mix": {"nobody": 1}}, "nobody/train"),
    ],
)
def test_mixtures_that_are_refused(two, change, message):
    with pytest.raises((LoadError, CorruptShardError), match=message):
        make_loader(Mixture.of(MIX | change, two), 4)


def test_a_mixture_from_a_file(two, tmp_path):
    file = tmp_path / "mix.yaml"
    file.write_text("mix: {a: 0.1, b: 0.2}\nepoch_samples: 80\n")
    mixture = Mixture.read(file, two)
    assert mixture == Mixture(
        (
            MixtureDataset("a", f"{two}/a/train", Fraction(1, 3)),
            MixtureDataset("b", f"{two}/b/train", Fraction(2, 3)),
        ),
        epoch_samples=80,
    )
    assert len(make_loader(mixture, 8)) == 10
    file.write_text("mix: [a\n")
    with pytest.raises(LoadError, match=r"(?s)mix\.yaml: .*line 2"):
        Mixture.read(file, two)


@pytest.mark.parametrize("name", ["finetune", "gcg", "pretrain"])
def test_mixtures_that_are_shipped(converted, name):
    """They name known sources, expand them as the reference does, and load all of them."""
    from shards.glamm import EXPANDS

    mixture = Mixture.read(name, converted)
    assert set(shipped_mixes()) == {"finetune", "gcg", "pretrain"}
    for member in mixture.members:
        source = member.name.split("/")[-1]
        if member.name != "region/grand_referring":
            assert member.selection.expand == (EXPANDS[source] or "")
    loader = make_loader(mixture, 4)
    epochs = 60 // len(loader) + 1
    parts = {raw.dataset_index for _ in range(epochs) for batch in loader for raw in batch}
    assert parts == set(range(len(mixture.members)))


def test_the_shares_of_fine_tuning(converted):
    mixture = Mixture.read("finetune", converted)
    shares = {
        member.name: member.share * mixture.groups[member.group] for member in mixture.members
    }
    assert shares["segmentation/semantic/ade20k"] == Fraction(45, 100) * Fraction(5, 19) / 5
    assert shares["segmentation/referring/refclef"] == Fraction(45, 100) * Fraction(4, 19) / 4
    assert shares["segmentation/grandf_ha"] == Fraction(45, 100) / 19
    assert shares["region/visual_genome"] == Fraction(1, 10)
    assert sum(shares.values()) == 1


def test_the_shards_of_the_job(converted):
    """Shards that the conversion wrote, not a test."""
    for folder in sorted(converted.glob("*/train")):
        split = Split.open(folder)
        loader = make_loader(folder, 2, tail="pad")
        keys = {raw.key for batch in loader for raw in batch}
        assert len(keys) == len(split) == split.manifest.samples
        assert np.array_equal(split.sizes, [info.samples for info in split.manifest.shards])
