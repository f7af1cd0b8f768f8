"""Damage that each check misses, counted by kind."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.harness.jpeg_checks import CHECKS, WHOLE, accepts
from bench.harness.jpeg_damage import changes_pixels, damage, decode_anyhow

LAXER, STRICTER = "laxer", "stricter"
"""How often a check accepts what the whole decode refuses, and the reverse; all kinds of damage."""


@dataclass(slots=True)
class DamageCounts:
    """Counts of damaged photos, and of those that each check accepts.

    Attributes:
        damaged: kind of damage -> number of damaged photos.
        harmful: kind of damage -> number whose pixels changed.
        missed: check -> kind of damage -> number that was harmful and accepted; LAXER and
            STRICTER are further keys.
    """

    damaged: Counter[str] = field(default_factory=Counter)
    harmful: Counter[str] = field(default_factory=Counter)
    missed: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in CHECKS}
    )


def count_missed(photos: Sequence[bytes], flips: int) -> DamageCounts:
    """Run every check on every photo, damaged at many positions that are the same in every run.

    Args:
        photos: undamaged, without metadata.
        flips: number of bytes to change in each photo, one at a time.
    """
    counts = DamageCounts()
    for number, photo in enumerate(photos):
        whole = decode_anyhow(photo)
        for kind, data in damage(photo, flips, np.random.default_rng(number)):
            counts.damaged[kind] += 1
            if not changes_pixels(data, whole):
                continue
            counts.harmful[kind] += 1
            accepted = {name for name, check in CHECKS.items() if accepts(check, data)}
            for name, missed in counts.missed.items():
                missed[kind] += name in accepted
                missed[LAXER] += name in accepted and WHOLE not in accepted
                missed[STRICTER] += name not in accepted and WHOLE in accepted
    return counts


def tabulate_missed(counts: DamageCounts) -> str:
    """A row for each check, a column for each kind of damage; the first row has the totals."""
    harmful = counts.harmful
    kinds = [*harmful, LAXER, STRICTER]
    width = max(map(len, counts.missed))
    lines = [f"{'':{width}}  " + "  ".join(f"{kind:>14}" for kind in kinds)]
    totals = "  ".join(f"{harmful[kind] or harmful.total():>14}" for kind in kinds)
    lines.append(f"{'(of)':{width}}  {totals}")
    for name, each in counts.missed.items():
        lines.append(f"{name:{width}}  " + "  ".join(f"{each[kind]:>14}" for kind in kinds))
    return "\n".join(lines)


def list_harmless(counts: DamageCounts) -> str:
    """How often each kind of damage changed no pixel."""
    damaged, harmful = counts.damaged, counts.harmful
    return ", ".join(f"{kind} {n - harmful[kind]} of {n}" for kind, n in damaged.items())
