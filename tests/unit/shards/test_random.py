"""The generator's numbers are pinned: orders, seeds and saved states depend on them."""

import numpy as np
import pytest

from shards.random import Rng, key_of, keys_of, permutation


def test_the_stream_never_changes():
    rng = Rng(2026)
    assert [rng.below(1000) for _ in range(8)] == [857, 471, 667, 384, 791, 726, 953, 804]
    assert "".join(rng.pick("abcdefgh") for _ in range(8)) == "cbchccfb"
    assert rng.draw(range(20), 6) == [4, 6, 13, 12, 14, 0]
    assert rng.draw("abc", 9) == ["c", "b", "a"]


def test_the_stream_is_splitmix64():
    """The first numbers of https://prng.di.unimi.it/splitmix64.c with the seed 0."""
    rng = Rng(0)
    assert [rng.below(2**64) for _ in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_a_seed_is_64_bits():
    assert Rng(2**64 + 5).below(2**64) == Rng(5).below(2**64)
    assert Rng(-1).below(2**64) == Rng(2**64 - 1).below(2**64)


@pytest.mark.parametrize("limit", [0, 3, 9])
def test_a_draw_has_no_value_twice(limit):
    for seed in range(50):
        drawn = Rng(seed).draw(range(5), limit)
        assert len(drawn) == len(set(drawn)) == min(limit, 5)


def test_keys_never_change():
    assert key_of(1, 2) == 14044065495720869678
    assert keys_of(7, np.arange(2)).tolist() == [13225839796362995591, 8409816773569330625]
    assert permutation(10, key_of(1, 2)).tolist() == [5, 9, 7, 3, 4, 0, 1, 2, 8, 6]
