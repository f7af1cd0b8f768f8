"""Which dataset is whose turn: exact shares at every moment, in an order that is known ahead."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

LONGEST = 50_000
"""Turns after which a pattern begins anew, at the most; shares are rounded to such parts."""


class Pattern:
    """Turns of several datasets, periodic.

    Attributes:
        turns: int16 [period]; whose turn it is.
        before: int64 [period + 1, datasets]; how many turns each had before that one.
    """

    def __init__(self, shares: Sequence[Fraction]) -> None:
        """Lay out one period.

        Args:
            shares: of each dataset, positive; they need not sum to one.
        """
        parts = whole_parts(shares)
        self.turns = _take_turns(parts)
        had = self.turns[:, None] == np.arange(len(parts))
        self.before = np.zeros((len(self.turns) + 1, len(parts)), np.int64)
        np.cumsum(had, axis=0, out=self.before[1:])

    def __len__(self) -> int:
        """Turns of a period."""
        return len(self.turns)

    def counts(self, turns: int) -> NDArray[np.int64]:
        """How many of the first turns are of each dataset: int64 [datasets]."""
        periods, rest = divmod(turns, len(self.turns))
        counted: NDArray[np.int64] = periods * self.before[-1] + self.before[rest]
        return counted


def whole_parts(shares: Sequence[Fraction]) -> list[int]:
    """The shares as whole numbers of one sum, which is at most `LONGEST`.

    >>> whole_parts([Fraction(45, 100), Fraction(2, 5), Fraction(3, 20)])
    [9, 8, 3]
    """
    whole = sum(shares, Fraction(0))
    exact = [share / whole for share in shares]
    period = lcm(*(share.denominator for share in exact))
    if period <= LONGEST:
        return [int(share * period) for share in exact]
    down = [max(1, int(share * LONGEST)) for share in exact]
    # what is missing goes to those who lost most by rounding
    lost = [share * LONGEST - part for share, part in zip(exact, down, strict=True)]
    for number in sorted(range(len(lost)), key=lambda n: -lost[n])[: max(0, LONGEST - sum(down))]:
        down[number] += 1
    return down


def _take_turns(parts: Sequence[int]) -> NDArray[np.int16]:
    """Everyone's turns in a period of `sum(parts)`, none ever a whole turn ahead or behind.

    Tijdeman, "The chairman assignment problem", 1980: of those who are behind enough, whoever must
    have a turn first. With n datasets the distance is at most 1 - 1 / (2n - 2) at any moment.
    """
    weights = np.asarray(parts, np.int64)
    period, slack = int(weights.sum()), max(1, 2 * len(parts) - 2)
    turns = np.zeros(period, np.int16)
    if len(parts) == 1:
        return turns
    had = np.zeros(len(parts), np.int64)
    for number in range(period):
        # behind and due are in units of 1 / (slack * period), to stay whole
        behind = slack * (weights * (number + 1) - had * period)
        due = ((slack - 1) * period - behind) / weights
        due[behind < period] = np.inf
        turn = int(np.argmin(due))
        turns[number] = turn
        had[turn] += 1
    return turns
