"""A race as a table: rates, memory, and what is claimed."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from bench.harness.command import Claim, Table, WayTime, tabulate
from bench.peers.loaders.timed import Timed


def table(
    title: str, found: Mapping[str, Sequence[Timed]], claims: Iterable[Claim], sample: float
) -> Table:
    """What was found, for one sample.

    Args:
        title: of the table.
        found: of a race.
        claims: that are made about it.
        sample: bytes of one.
    """
    times = {way: [each.seconds / each.samples for each in runs] for way, runs in found.items()}
    made = tabulate(title, times, claims)
    rows = [_with_facts(row, found[row.way], sample) for row in made.rows]
    return msgspec.structs.replace(made, rows=rows)


def _with_facts(row: WayTime, runs: Sequence[Timed], sample: float) -> WayTime:
    facts = {
        "GB/s": f"{sample / row.seconds / 1e9:.2f}",
        "CPU s per 1,000": f"{median(each.cpu / each.samples for each in runs) * 1e3:.3f}",
        "first batch": f"{median(each.first for each in runs) * 1e3:.0f} ms",
        "memory": f"{max(each.peak for each in runs) / 1e6:.0f} MB",
        "of its own": f"{max(each.own for each in runs) / 1e6:.0f} MB",
    }
    return msgspec.structs.replace(row, facts=facts)
