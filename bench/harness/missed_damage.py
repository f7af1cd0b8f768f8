"""Which damage each check misses, counted by its kind."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.harness.jpeg_damage import changes_pixels, damage, decode_anyhow
from bench.jpeg_checks import CHECKS, WHOLE, takes

LAXER, STRICTER = "laxer", "stricter"
"""How often a check is so than the whole decode, over all kinds of damage."""


@dataclass(slots=True)
class Answers:
    """What the checks say of damaged photos.

    Attributes:
        made: kind of damage -> how often it was made.
        harmful: kind of damage -> how often it changed pixels.
        missed: check -> kind of damage -> how often it was harmful and taken; LAXER and STRICTER
            stand beside the kinds.
    """

    made: Counter[str] = field(default_factory=Counter)
    harmful: Counter[str] = field(default_factory=Counter)
    missed: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in CHECKS}
    )


def ask(photos: Sequence[bytes], flips: int) -> Answers:
    """Ask every check about every photo, damaged in many places; the same ones in every run.

    Args:
        photos: sound, and without metadata.
        flips: bytes to change in each photo, one at a time.
    """
    answers = Answers()
    for number, photo in enumerate(photos):
        whole = decode_anyhow(photo)
        for kind, data in damage(photo, flips, np.random.default_rng(number)):
            answers.made[kind] += 1
            if not changes_pixels(data, whole):
                continue
            answers.harmful[kind] += 1
            taken = {name for name, check in CHECKS.items() if takes(check, data)}
            for name, missed in answers.missed.items():
                missed[kind] += name in taken
                missed[LAXER] += name in taken and WHOLE not in taken
                missed[STRICTER] += name not in taken and WHOLE in taken
    return answers


def tabulate_missed(answers: Answers) -> str:
    """A row for each check, a column for each kind of damage; above them, of how many."""
    harmful = answers.harmful
    kinds = [*harmful, LAXER, STRICTER]
    width = max(map(len, answers.missed))
    lines = [f"{'':{width}}  " + "  ".join(f"{kind:>14}" for kind in kinds)]
    counts = "  ".join(f"{harmful[kind] or harmful.total():>14}" for kind in kinds)
    lines.append(f"{'(of)':{width}}  {counts}")
    for name, each in answers.missed.items():
        lines.append(f"{name:{width}}  " + "  ".join(f"{each[kind]:>14}" for kind in kinds))
    return "\n".join(lines)


def list_harmless(answers: Answers) -> str:
    """How often each kind of damage changed no pixel, of how often it was made."""
    made, harmful = answers.made, answers.harmful
    return ", ".join(f"{kind} {made[kind] - harmful[kind]} of {made[kind]}" for kind in made)
