"""Which caption, phrase or conversation of a sample an example is about."""

from collections.abc import Mapping, Sequence

from shards.errors import ExampleError
from shards.glamm.chance import Rng
from shards.sample import Region, Sample


def phrases_of(sample: Sample) -> list[tuple[Region, str]]:
    """Every phrase with its region, in stored order: what the index counts as `phrases`."""
    return [(region, phrase) for region in sample.regions for phrase in region.phrases]


def choose_one(usable: Mapping[int, str | None], chance: Rng, which: int | None, where: str) -> int:
    """The number of the one that was asked for, or of one that chance picks.

    Args:
        usable: number -> why it cannot be used; None where it can.
        chance: picks, where none was asked for.
        which: was asked for.
        where: the sample's key and what is chosen among, such as `refcoco-12: caption`.

    Raises:
        ExampleError: if there is none, or it cannot be used.
    """
    if which is not None:
        if which not in usable:
            raise ExampleError(f"{where} {which} was asked for; there are {len(usable)}")
        if usable[which] is not None:
            raise ExampleError(f"{where} {which} cannot be used: {usable[which]}")
        return which
    free = [number for number, reason in usable.items() if reason is None]
    if not free:
        reasons = sorted({reason for reason in usable.values() if reason}) or ["there is none"]
        raise ExampleError(f"{where}: none can be used: {'; '.join(reasons)}")
    return chance.pick(free)


def choose_some(
    usable: Sequence[str | None], chance: Rng, which: int | None, most: int, where: str
) -> list[int]:
    """The number that was asked for alone, or up to `most` that chance draws.

    Raises:
        ExampleError: if there is none, or it cannot be used.
    """
    numbered = dict(enumerate(usable))
    if which is not None:
        return [choose_one(numbered, chance, which, where)]
    free = [number for number, reason in numbered.items() if reason is None]
    drawn = chance.draw(free, most)
    return drawn or [choose_one(numbered, chance, None, where)]
