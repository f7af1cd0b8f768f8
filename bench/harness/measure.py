"""Comparable times: every way in turn, round after round, on one machine."""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from statistics import median

Ways = Mapping[str, Callable[[], object]]
"""Name -> function to time."""

Times = Mapping[str, Sequence[float]]
"""Name -> seconds per call in each round."""


def machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB; "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def versions(*distributions: str) -> str:
    """The installed version of each, or "absent"."""
    return ", ".join(f"{name} {_version(name)}" for name in distributions)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def _nothing() -> None:
    pass


def race(
    ways: Ways,
    *,
    rounds: int = 7,
    seconds: float = 0.05,
    before: Callable[[], object] = _nothing,
) -> Times:
    """Time every way once per round, so that a slow phase of the machine slows all ways alike.

    Every way is called once to warm up. Every second round runs in reverse order.

    Args:
        ways: functions to time.
        rounds: number of rounds.
        seconds: a way is called repeatedly for about this long in a round, but at least once.
        before: called before each way in each round; not timed.
    """
    calls: dict[str, int] = {}
    for name, way in ways.items():
        before()
        calls[name] = max(1, round(seconds / _seconds(way, 1)))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in order:
            before()
            times[name].append(_seconds(ways[name], calls[name]))
    return times


def _seconds(way: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        way()
    return (time.perf_counter() - start) / calls


def report(times: Times, baseline: str, goals: Mapping[str, float] | None = None) -> str:
    """A table: median time, its spread, and how many times faster than the baseline.

    The ratio is the median of the rounds' own ratios. The spread is the fastest and the slowest
    round relative to the median.
    """
    goals = goals or {}
    width = max(map(len, chain(times, ["way"])))
    lines = [f"{'way':{width}}  {'median':>11}  {'spread':>11}  {'faster':>8}  goal"]
    for name, each in times.items():
        middle = median(each)
        ratio = median(base / one for base, one in zip(times[baseline], each, strict=True))
        spread = f"{min(each) / middle:.2f}-{max(each) / middle:.2f}"
        goal = f">= {goals[name]:g}" if name in goals else ""
        row = f"{name:{width}}  {middle * 1e3:8.3f} ms  {spread:>11}  {ratio:7.1f}x  {goal}"
        lines.append(row.rstrip())
    return "\n".join(lines)


def say(*lines: str) -> None:
    """Write lines to the terminal without buffering: a benchmark takes long."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
