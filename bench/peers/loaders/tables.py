"""A comparison as a table: rates, memory and goals."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from bench.harness.command import Claim, Table, WayTime, tabulate
from bench.peers.loaders.timed import Timed


def table(
    title: str, runs: Mapping[str, Sequence[Timed]], claims: Iterable[Claim], sample: float
) -> Table:
    """Times per sample.

    Args:
        title: of the table.
        runs: runs of each way.
        claims: comparisons to show, with their goals.
        sample: size of a sample in bytes.
    """
    times = {way: [run.seconds / run.samples for run in of_way] for way, of_way in runs.items()}
    timed = tabulate(title, times, claims)
    rows = [_with_facts(row, runs[row.way], sample) for row in timed.rows]
    return msgspec.structs.replace(timed, rows=rows)


def _with_facts(row: WayTime, runs: Sequence[Timed], sample: float) -> WayTime:
    facts = {
        "GB/s": f"{sample / row.seconds / 1e9:.2f}",
        "CPU s per 1,000": f"{median(each.cpu / each.samples for each in runs) * 1e3:.3f}",
        "first batch": f"{median(each.first for each in runs) * 1e3:.0f} ms",
        "memory": f"{max(each.peak for each in runs) / 1e6:.0f} MB",
        "of its own": f"{max(each.own for each in runs) / 1e6:.0f} MB",
    }
    return msgspec.structs.replace(row, facts=facts)
