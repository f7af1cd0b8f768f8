"""Chance that a seed decides, the same in every version of every library."""

from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Rng:
    """Draws one after another: SplitMix64 (Steele, Lea and Flood, 2014) from a seed of 64 bits."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, count: int) -> int:
        """A number from 0 to `count - 1`; the bias is `count / 2**64`."""
        self._state = (self._state + _GOLDEN) & _MASK
        x = self._state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((x ^ (x >> 31)) * count) >> 64

    def pick(self, things: Sequence[Thing]) -> Thing:
        """One of some things; there must be one."""
        return things[self.below(len(things))]

    def draw(self, things: Sequence[Thing], most: int) -> list[Thing]:
        """Up to `most` of the things, none twice, in an order of chance."""
        left = list(things)
        taken = min(most, len(left))
        for place in range(taken):
            other = place + self.below(len(left) - place)
            left[place], left[other] = left[other], left[place]
        return left[:taken]
