"""A benchmark's command: ways are timed in turn, claims compare them, a table and JSON come out."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from bench.harness.measure import Times, Ways, machine, race, say, versions


@dataclass(frozen=True, slots=True)
class Claim:
    """One way is so many times as fast as another.

    Attributes:
        goal: the least ratio to reach; None if there is no goal.
    """

    way: str
    over: str
    goal: float | None = None


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Section:
    """Ways to do the same thing, timed in turn.

    Attributes:
        calls: things done in one call of a way, such as photos; times are reported for one.
        before: called before each way in each round; not timed.
    """

    title: str
    ways: Ways
    claims: Sequence[Claim] = ()
    calls: int = 1
    before: Callable[[], object] = _nothing


class WayTime(msgspec.Struct, frozen=True):
    """A way's time: median seconds, and the fastest and slowest round relative to it.

    Attributes:
        facts: name -> another measured value.
    """

    way: str
    seconds: float
    spread: tuple[float, float]
    facts: Mapping[str, str] = {}


class Ratio(msgspec.Struct, frozen=True):
    """A claim's measured ratio: the median of the rounds' own ratios, the least and the most."""

    way: str
    over: str
    ratio: float
    spread: tuple[float, float]
    goal: float | None


class Table(msgspec.Struct, frozen=True):
    """A section, measured."""

    title: str
    rows: Sequence[WayTime]
    ratios: Sequence[Ratio]


class Result(msgspec.Struct, frozen=True):
    """A run of a benchmark."""

    name: str
    machine: str
    versions: str
    tables: Sequence[Table]


def measure(section: Section, rounds: int) -> Table:
    """Time the ways of a section."""
    times = race(section.ways, rounds=rounds, before=section.before)
    return tabulate(section.title, times, section.claims, section.calls)


def tabulate(title: str, times: Times, claims: Iterable[Claim], calls: int = 1) -> Table:
    """A table of times, and the claims whose two ways were both timed."""
    rows = []
    for way, each in times.items():
        middle = median(each)
        rows.append(WayTime(way, middle / calls, (min(each) / middle, max(each) / middle)))
    ratios = []
    for claim in claims:
        if claim.way in times and claim.over in times:
            pairs = zip(times[claim.over], times[claim.way], strict=True)
            each = [over / way for over, way in pairs]
            spread = (min(each), max(each))
            ratios.append(Ratio(claim.way, claim.over, median(each), spread, claim.goal))
    return Table(title, rows, ratios)


def describe(table: Table) -> str:
    """A table for the terminal."""
    width = max(len(row.way) for row in table.rows)
    lines = [f"{table.title}"]
    for row in table.rows:
        low, high = row.spread
        facts = "".join(f"  {name} {fact}" for name, fact in row.facts.items())
        time = f"{row.seconds * 1e3:9.3f} ms  ({low:.2f}-{high:.2f})"
        lines.append(f"  {row.way:{width}}  {time}{facts}")
    for ratio in table.ratios:
        low, high = ratio.spread
        text = (
            f"  {ratio.ratio:.2f} ({low:.2f}-{high:.2f}) times as fast: {ratio.way} : {ratio.over}"
        )
        if ratio.goal is not None:
            verdict = "met" if ratio.ratio >= ratio.goal else "MISSED"
            text += f"; goal {ratio.goal:g} {verdict}"
        lines.append(text)
    return "\n".join(lines)


def publish(
    name: str, tables: Iterable[Table], libraries: Sequence[str], json: Path | None
) -> None:
    """Print each table when it is measured; write all of them to a JSON file if one is given."""
    hardware, installed = machine(), versions(*libraries)
    say(f"bench.{name}", hardware, installed)
    measured = []
    for table in tables:
        measured.append(table)
        say("", describe(table))
    if json is not None:
        result = Result(name, hardware, installed, measured)
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def run(
    name: str,
    sections: Callable[[Namespace], Iterable[Section]],
    libraries: Sequence[str],
    more: Callable[[ArgumentParser], object] = lambda _parser: None,
) -> None:
    """Run a benchmark from its command line.

    Args:
        name: `python -m bench.NAME`.
        sections: arguments -> what to measure.
        libraries: distributions whose versions are reported.
        more: adds the benchmark's own arguments.
    """
    parser = ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--rounds", type=int, default=7, help="rounds in which every way is timed")
    more(parser)
    typed = parser.parse_args()
    tables = (measure(section, typed.rounds) for section in sections(typed))
    publish(name, tables, libraries, typed.json)
