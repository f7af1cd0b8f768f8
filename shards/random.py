"""The counter-based random generator: the same numbers on every machine, in every version.

Everything is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
2014). numpy's own generators may give other numbers in another version; these never will.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
T = TypeVar("T")

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def scramble(words: Words) -> Words:
    """SplitMix64's finaliser: a bijection of 64-bit words whose results look random."""
    x = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = x ^ (x >> np.uint64(31))
    return mixed


def key_of(*numbers: int) -> int:
    """One 64-bit number that depends on each of several numbers and on their order.

    >>> key_of(1, 2) == key_of(2, 1)
    False
    """
    key = 0
    for number in numbers:
        key = _scramble_one((key + (number & _MASK) * 2 + 1) * _GOLDEN & _MASK)
    return key


def _scramble_one(word: int) -> int:
    """`scramble` of one word, without numpy's fixed costs."""
    x = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def keys_of(key: int, numbers: Ints) -> Words:
    """A 64-bit word for each number, which the key and the number determine: uint64, same shape."""
    words = numbers.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(key)
    return scramble(scramble(words))


def permutation(count: int, key: int) -> Ints:
    """The numbers below `count` in an order that the key determines: int64 [count].

    >>> permutation(10, key_of(1, 2)).tolist()
    [5, 9, 7, 3, 4, 0, 1, 2, 8, 6]
    """
    words = keys_of(key, np.arange(count, dtype=np.int64))
    # All words differ, so that every sorting algorithm gives the same order.
    return np.argsort(words).astype(np.int64, copy=False)


class Rng:
    """A stream of random numbers that a 64-bit seed determines: SplitMix64, one word at a time."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, count: int) -> int:
        """A number from 0 to `count - 1`; the bias is at most `count / 2**64`."""
        self._state = (self._state + _GOLDEN) & _MASK
        return (_scramble_one(self._state) * count) >> 64

    def pick(self, values: Sequence[T]) -> T:
        """One of at least one value."""
        return values[self.below(len(values))]

    def draw(self, values: Sequence[T], limit: int) -> list[T]:
        """Up to `limit` different values, in random order."""
        left = list(values)
        count = min(limit, len(left))
        for index in range(count):
            other = index + self.below(len(left) - index)
            left[index], left[other] = left[other], left[index]
        return left[:count]
