"""Which rank gets which example: each once, with any number of ranks and any restart."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.errors import LoadError
from shards.load.sampling.mix import MixturePlan, Pattern, whole_parts
from shards.load.sampling.plan import (
    EpochPlan,
    PassOrder,
    SampleOrder,
    deal_to_streams,
    rank_slice,
)
from shards.random import key_of, permutation, scramble

sizes_of = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any)
keys = st.integers(0, 2**64 - 1)


def examples(plan, epoch, world=1):
    """What all ranks get in an epoch, batch by batch: [batches, ranks, positions]."""
    batches = range(plan.batches(epoch))
    ranks = [
        plan.slots(epoch, batches, rank_slice(plan.batch, r, world)).examples for r in range(world)
    ]
    return np.stack(ranks, axis=1)


@given(st.integers(0, 200), keys)
def test_a_permutation_has_every_number(count, key):
    assert sorted(permutation(count, key)) == list(range(count))


def test_orders_never_change():
    """A state from another version, numpy or machine continues in the same order."""
    assert permutation(10, key_of(1, 2)).tolist() == [5, 9, 7, 3, 4, 0, 1, 2, 8, 6]
    assert key_of(1, 2) != key_of(2, 1)


@given(keys)
def test_one_word_is_scrambled_as_many_are(word):
    [many] = scramble(np.array([(word * 2 + 1) * 0x9E3779B97F4A7C15 % 2**64], np.uint64)).tolist()
    assert key_of(word) == many


@given(st.integers(1, 200), st.integers(1, 9))
def test_streams_are_a_bijection_of_stretches(count, streams):
    numbers = np.arange(count)
    dealt = deal_to_streams(numbers, count, streams)
    assert sorted(dealt) == list(range(count))
    for stream in range(min(streams, count)):
        stretch = dealt[numbers % streams == stream]
        assert np.array_equal(stretch, np.arange(stretch[0], stretch[0] + len(stretch)))


@given(sizes_of, keys, st.one_of(st.none(), st.integers(1, 5)))
def test_a_pass_has_every_example_once(sizes, key, block):
    order = PassOrder(sizes, key, block)
    assert sorted(order.at(np.arange(len(order)))) == list(range(sum(sizes)))


@given(sizes_of, keys, st.integers(1, 4))
def test_a_block_is_of_few_shards(sizes, key, block):
    order = PassOrder(sizes, key, block)
    shard = np.repeat(np.arange(len(sizes)), sizes)[order.at(np.arange(len(order)))]
    for number in range(len(sizes)):
        positions = np.flatnonzero(shard == number)
        near = shard[positions.min() : positions.max() + 1] if len(positions) else positions
        assert len(set(near.tolist())) <= block


orders = st.builds(
    SampleOrder,
    batch=st.sampled_from([24, 48]),
    seed=st.integers(0, 5),
    shuffle=st.booleans(),
    block=st.integers(1, 4),
    streams=st.integers(1, 9),
    tail=st.sampled_from(["drop", "pad"]),
)


@given(sizes_of, orders, st.integers(0, 3))
def test_an_epoch_has_every_example_once(sizes, order, epoch):
    if sum(sizes) < order.batch and order.tail == "drop":
        with pytest.raises(LoadError, match="do not fill a batch"):
            EpochPlan(sizes, order)
        return
    plan = EpochPlan(sizes, order)
    counted = Counter(examples(plan, epoch).ravel().tolist())
    count = sum(sizes)
    if order.tail == "drop":
        assert set(counted.values()) == {1}
        assert len(counted) == count - plan.left_over
        assert 0 <= plan.left_over < order.batch
    else:
        assert set(counted) == set(range(count))
        assert sum(counted.values()) == count - plan.left_over
        assert max(counted.values()) <= -(-order.batch // count) + 1


@given(sizes_of, orders)
def test_ranks_share_the_same_batches(sizes, order):
    order = SampleOrder(order.batch, order.seed, order.shuffle, order.block, order.streams, "pad")
    plan = EpochPlan(sizes, order)
    alone = examples(plan, 1).reshape(plan.batches(1), -1)
    for world in (2, 3, 8):
        assert np.array_equal(examples(plan, 1, world).reshape(alone.shape), alone)


@given(sizes_of, orders, st.data())
def test_a_batch_planned_alone_equals_the_batch_in_sequence(sizes, order, data):
    order = SampleOrder(order.batch, order.seed, order.shuffle, order.block, order.streams, "pad")
    plan = EpochPlan(sizes, order)
    number = data.draw(st.integers(0, plan.batches(0) - 1))
    positions = rank_slice(order.batch, data.draw(st.integers(0, 2)), 3)
    fresh = EpochPlan(sizes, order).slots(0, range(number, number + 1), positions)
    everything = plan.slots(0, range(plan.batches(0)), positions)
    assert np.array_equal(fresh.examples[0], everything.examples[number])


def test_orders_differ_by_seed_and_epoch():
    plans = [EpochPlan([50, 50], SampleOrder(10, seed=seed)) for seed in (0, 1)]
    seen = {tuple(examples(plan, epoch).ravel()) for plan in plans for epoch in (0, 1)}
    assert len(seen) == 4


@pytest.mark.parametrize("shards", [1, 100_000])
def test_one_shard_or_very_many(shards):
    plan = EpochPlan(np.full(shards, 640 // shards or 3), SampleOrder(64, block=4))
    ranks = [plan.slots(0, range(2), rank_slice(64, rank, 64)).examples for rank in range(64)]
    assert len(set(np.stack(ranks).ravel().tolist())) == 128


def test_nodes_read_shards_of_their_own():
    shards, size = 64, 100
    plan = EpochPlan([size] * shards, SampleOrder(64, block=2, streams=8))
    for nodes in (1, 2, 4, 8):
        read = 0
        for node in range(nodes):
            own = plan.slots(0, range(plan.batches(0)), rank_slice(64, node, nodes)).examples
            read += len(np.unique(own // size))
        assert read <= shards + 2 * (nodes - 1)


@pytest.mark.parametrize(
    ("batch", "rank", "world", "message"),
    [(8, 0, 3, "divides 8"), (8, 2, 2, "numbered from 0"), (8, -1, 2, "numbered from 0")],
)
def test_slices_that_are_refused(batch, rank, world, message):
    with pytest.raises(LoadError, match=message):
        rank_slice(batch, rank, world)


shares_of = st.lists(
    st.builds(Fraction, st.integers(1, 60), st.integers(1, 4)), min_size=1, max_size=6
)


@given(shares_of)
def test_no_dataset_is_a_whole_turn_ahead_or_behind(shares):
    pattern = Pattern(shares)
    shares = whole_parts(shares)
    whole = sum(shares)
    had = pattern.before
    for turn in range(0, len(pattern) + 1, 1 + len(pattern) // 50):
        for each, share_ in zip(had[turn].tolist(), shares, strict=True):
            assert abs(each - Fraction(turn * share_, whole)) < 1
    assert had[-1].tolist() == shares


def test_odd_shares_are_rounded_to_a_period_of_bounded_length():
    parts = whole_parts([Fraction(1, 99_991), Fraction(1, 99_989), Fraction(1, 3)])
    assert sum(parts) == 50_000
    assert min(parts) >= 1


mixes = st.tuples(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
            st.integers(1, 9),
        ),
        min_size=1,
        max_size=4,
    ),
    st.builds(
        SampleOrder,
        batch=st.sampled_from([4, 6, 24]),
        seed=st.integers(0, 3),
        shuffle=st.booleans(),
        block=st.integers(1, 3),
        streams=st.integers(1, 6),
    ),
)


def mixed(mix, **more):
    datasets, order = mix
    sizes = [sizes for sizes, _ in datasets]
    return MixturePlan(sizes, [Fraction(share_) for _, share_ in datasets], order, **more)


def drawn(plan, epoch):
    slots = plan.slots(epoch, range(plan.batches(epoch)), range(plan.batch))
    return [each.tolist() for each in slots]


@given(mixes)
def test_every_pass_over_a_dataset_has_every_example_once(mix):
    plan = mixed(mix, epoch_batches=30)
    counted = Counter(
        row
        for epoch in range(3)
        for row in zip(*(np.ravel(each) for each in drawn(plan, epoch)), strict=True)
    )
    assert set(counted.values()) == {1}


@given(mixes)
def test_shares_are_exact_over_any_stretch(mix):
    datasets, order = mix
    plan = mixed(mix, epoch_batches=40)
    indices = np.array(drawn(plan, 0)[0])
    whole = sum(share_ for _, share_ in datasets)
    for first, last in ((0, 40), (0, 7), (13, 14), (5, 33)):
        for index, (_, share_) in enumerate(datasets):
            turns = order.batch * (last - first)
            count = int((indices[first:last] == index).sum())
            assert abs(count - turns * share_ / whole) < 2 * order.used_streams


@given(mixes, st.sampled_from([2, 3]))
def test_ranks_share_a_mixture(mix, world):
    plan = mixed(mix, epoch_batches=12)
    if plan.batch % world:
        return
    ranks = [
        plan.slots(1, range(3, 9), rank_slice(plan.batch, rank, world)) for rank in range(world)
    ]
    alone = plan.slots(1, range(3, 9), range(plan.batch))
    for field, whole in enumerate(alone):
        assert np.array_equal(np.concatenate([each[field] for each in ranks], axis=1), whole)


@given(mixes)
@settings(max_examples=50)
def test_a_mixture_that_stops_gives_nothing_twice(mix):
    try:
        plan = mixed(mix, at_end="stop")
    except LoadError:
        return
    for epoch in (0, 2):
        datasets, examples_, passes = (np.ravel(each) for each in drawn(plan, epoch))
        assert set(passes.tolist()) == {epoch}
        pairs = list(zip(datasets.tolist(), examples_.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
