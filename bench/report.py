"""Write docs/benchmarks.md from the results of benchmarks: `python -m bench.report FOLDER`.

FOLDER holds the files that benchmarks wrote for `--json FILE`. Sections without a file stay as they
are, so that one benchmark can be run again.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import msgspec
from cyclopts import App

from bench.harness.command import Result, Table

app = App(help=__doc__)
PAGE, IMAGES = "benchmarks.md", "img"
_INTRODUCTION = """# Benchmarks

Written by `python -m bench.report` from what `python -m bench.<name> --json FILE` measured. Every
figure is the median of rounds in which all ways took their turn, with the least and the most in
brackets, as shares of it. Only ratios carry over to another machine.
"""
_REACHED, _SHORT = "met", "**missed**"
_GOAL = re.compile(
    r"^\| (.+?) \| (.+?) \| ([\d.]+) \(.*\) \| ([\d.e+]+) \| (met|\*\*missed\*\*) \|$", re.MULTILINE
)
"""A row of `format_table`: way, against, times as fast, goal, met or missed."""
_MET, _MISSED, _PALETTE = "#4c8c5a", "#b8503c", ("#8a8f98", "#4c8c5a", "#c9b458", "#5b7fa6")
_TITLE = 40
"""Characters per line of a plot's labels."""
_ROW = 0.32
"""Height of a bar in inches."""


class Reached(NamedTuple):
    """A ratio with a goal, as it is on the page."""

    name: str
    ratio: float
    goal: float
    met: bool


def make_page(results: Sequence[Result], docs: Path) -> None:
    """Write the page and its plots below `docs`, or replace the sections of these results."""
    images, page = docs / IMAGES, docs / PAGE
    images.mkdir(parents=True, exist_ok=True)
    sections = split_page(page.read_text(encoding="utf-8")) if page.exists() else {}
    sections |= {result.name: _make_section(result, images) for result in results}
    goals = [goal for name in sorted(sections) for goal in find_goals(name, sections[name])]
    parts = [_INTRODUCTION]
    if goals:
        _plot_goals(goals, images / "goals.png")
        parts.append(f"![Every ratio that has a goal, as a share of it]({IMAGES}/goals.png)\n")
    parts += [sections[name] for name in sorted(sections)]
    page.write_text("\n".join(parts), encoding="utf-8")


def split_page(page: str) -> dict[str, str]:
    """Name of a benchmark -> its section, heading included."""
    sections = {}
    for section in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]:
        name = section.partition("\n")[0].removeprefix("## ")
        sections[name] = section.rstrip("\n") + "\n"
    return sections


def find_goals(name: str, section: str) -> Iterator[Reached]:
    """Ratios of a section that have a goal, in order."""
    for way, over, ratio, goal, verdict in _GOAL.findall(section):
        yield Reached(f"{name}: {way} : {over}", float(ratio), float(goal), verdict == _REACHED)


def _make_section(result: Result, images: Path) -> str:
    parts = [f"## {result.name}\n\n{result.machine}; {result.versions}\n"]
    alike = tables_alike(result)
    if alike:
        name = f"{result.name}.png"
        _plot_rates(result.name, alike, images / name)
        parts.append(f"![{result.name}, by what was done]({IMAGES}/{name})\n")
    return "\n".join([*parts, *map(format_table, result.tables)])


def tables_alike(result: Result) -> list[Table]:
    """The largest group of tables with the same ways, for a grouped plot; empty if all differ."""
    groups: dict[tuple[str, ...], list[Table]] = {}
    for table in result.tables:
        groups.setdefault(tuple(row.way for row in table.rows), []).append(table)
    largest = max(groups.values(), key=len, default=[])
    return largest if len(largest) > 1 else []


def format_table(table: Table) -> str:
    """A table as Markdown, then a line for each ratio."""
    facts = list(dict.fromkeys(name for row in table.rows for name in row.facts))
    head = "".join(f" {name} |" for name in ("way", "time", "a second", *facts))
    lines = [f"### {table.title}", "", f"|{head}", "|---|--:|--:|" + "--:|" * len(facts)]
    for row in table.rows:
        low, high = row.spread
        time = f"{_short(row.seconds * 1e3)} ms ({low:.2f}-{high:.2f})"
        more = "".join(f" {row.facts.get(name, '')} |" for name in facts)
        lines.append(f"| {row.way} | {time} | {_short(1 / row.seconds)} |{more}")
    if table.ratios:
        lines += ["", "| way | against | times as fast | goal | |", "|---|---|--:|--:|---|"]
    for ratio in table.ratios:
        low, high = ratio.spread
        goal, verdict = "", ""
        if ratio.goal is not None:
            goal, verdict = f"{ratio.goal:g}", _REACHED if ratio.ratio >= ratio.goal else _SHORT
        figure = f"{ratio.ratio:.2f} ({low:.2f}-{high:.2f})"
        lines.append(f"| {ratio.way} | {ratio.over} | {figure} | {goal} | {verdict} |")
    return "\n".join([*lines, ""])


def _short(value: float) -> str:
    """A number with three digits.

    >>> _short(28599.4), _short(12.345), _short(0.01234)
    ('28,599', '12.3', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def _axes(bars: int) -> tuple[Any, Any]:
    """(figure, axes) for horizontal bars, the first on top."""
    import matplotlib as mpl

    mpl.use("Agg")  # writes files, needs no display
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 1 + _ROW * bars))
    axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    return figure, axes


def _save(figure: Any, file: Path) -> None:
    from matplotlib import pyplot as plt

    # Without the version of the library, the same figures give the same bytes.
    figure.savefig(file, dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _plot_goals(goals: Sequence[Reached], file: Path) -> None:
    figure, axes = _axes(len(goals))
    shares = [each.ratio / each.goal for each in goals]
    colours = [_MET if each.met else _MISSED for each in goals]
    bars = axes.barh(range(len(goals)), shares, color=colours)
    axes.set_yticks(range(len(goals)), [each.name for each in goals], fontsize=7)
    labels = [f"{each.ratio:.2f} of {each.goal:g}" for each in goals]
    axes.bar_label(bars, labels, padding=3, fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("reached, as a share of the goal")
    _save(figure, file)


def _plot_rates(name: str, tables: Sequence[Table], file: Path) -> None:
    ways = [row.way for row in tables[0].rows]
    figure, axes = _axes(len(tables) * len(ways))
    height = 0.8 / len(ways)
    distinct = len(ways) <= len(_PALETTE)  # else every bar has its name
    for number, way in enumerate(ways):
        positions = [n + (number - (len(ways) - 1) / 2) * height for n in range(len(tables))]
        rates = [1 / table.rows[number].seconds for table in tables]
        colour = _PALETTE[number % len(_PALETTE)]
        bars = axes.barh(positions, rates, height, label=way, color=colour)
        labels = [_short(rate) if distinct else f"{_short(rate)}  {way}" for rate in rates]
        axes.bar_label(bars, labels, padding=3, fontsize=7)
    titles = [fill(table.title, _TITLE) for table in tables]
    axes.set_yticks(range(len(tables)), titles, fontsize=8)
    axes.set_xlabel("a second")
    axes.set_title(name, loc="left", fontsize=10)
    if distinct:
        axes.legend(fontsize=8)
    _save(figure, file)


@app.default
def main(folder: Path, *, docs: Path = Path("docs")) -> None:
    """Write the page.

    Args:
        folder: with the JSON files.
        docs: folder of the page; plots go into its `img`.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise SystemExit(
            f"{folder}: no *.json; run benchmarks with --json {folder}/NAME.json first"
        )
    make_page([msgspec.json.decode(file.read_bytes(), type=Result) for file in files], docs)


if __name__ == "__main__":
    app()
