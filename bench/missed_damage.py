"""Which damage each check misses, counted by the kind of damage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.harness.jpeg_damage import changes_pixels, damage, decode_anyhow
from bench.jpeg_checks import CHECKS, WHOLE, accepts

LAXER, STRICTER = "laxer", "stricter"
"""How often a check is laxer or stricter than the whole decode, over all kinds of damage."""


@dataclass(slots=True)
class CheckResults:
    """What the checks report about damaged photos.

    Attributes:
        tried: kind of damage -> how often it was tried.
        harmful: kind of damage -> how often it changed pixels.
        missed: check -> kind of damage -> how often it was harmful and accepted; LAXER and
            STRICTER are counted beside the kinds.
    """

    tried: Counter[str] = field(default_factory=Counter)
    harmful: Counter[str] = field(default_factory=Counter)
    missed: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in CHECKS}
    )


def run_checks(photos: Sequence[bytes], flips: int) -> CheckResults:
    """Run every check on every photo, damaged at many offsets; the same ones in every run.

    Args:
        photos: undamaged, and without metadata.
        flips: bytes to change in each photo, one at a time.
    """
    results = CheckResults()
    for number, photo in enumerate(photos):
        whole = decode_anyhow(photo)
        for kind, data in damage(photo, flips, np.random.default_rng(number)):
            results.tried[kind] += 1
            if not changes_pixels(data, whole):
                continue
            results.harmful[kind] += 1
            accepted = {name for name, check in CHECKS.items() if accepts(check, data)}
            for name, missed in results.missed.items():
                missed[kind] += name in accepted
                missed[LAXER] += name in accepted and WHOLE not in accepted
                missed[STRICTER] += name not in accepted and WHOLE in accepted
    return results


def tabulate_missed(results: CheckResults) -> str:
    """A row for each check, a column for each kind of damage; above them, of how many."""
    harmful = results.harmful
    kinds = [*harmful, LAXER, STRICTER]
    width = max(map(len, results.missed))
    lines = [f"{'':{width}}  " + "  ".join(f"{kind:>14}" for kind in kinds)]
    counts = "  ".join(f"{harmful[kind] or harmful.total():>14}" for kind in kinds)
    lines.append(f"{'(of)':{width}}  {counts}")
    for name, each in results.missed.items():
        lines.append(f"{name:{width}}  " + "  ".join(f"{each[kind]:>14}" for kind in kinds))
    return "\n".join(lines)


def list_harmless(results: CheckResults) -> str:
    """How often each kind of damage changed no pixel, of how often it was tried."""
    tried, harmful = results.tried, results.harmful
    return ", ".join(f"{kind} {tried[kind] - harmful[kind]} of {tried[kind]}" for kind in tried)
