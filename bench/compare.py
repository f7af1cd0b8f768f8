"""Is this checkout as fast as another one, such as the commit before a change?

`python -m bench.compare OTHER convert [ARGUMENT...]` runs `python -m bench.convert` in both
checkouts in turn, round after round, each time in a fresh process with this Python. It prints, for
every section and way that both have, how many times as fast this checkout is: the median of the
rounds' own ratios, the least and the most. Ways that run other people's code alone show the noise.
"""

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from bench.harness.command import Result
from bench.harness.measure import machine, say

_HERE = Path(__file__).parent.parent
Seconds = Mapping[tuple[str, str], float]
"""(first sentence of a section's title, way) -> seconds of one round."""


def main() -> None:
    """Run both, and print the ratios."""
    parser = ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout, its compiled modules built")
    parser.add_argument("bench", help="the benchmark, such as convert")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each checkout")
    typed, arguments = parser.parse_known_args()
    say(f"bench.compare: bench.{typed.bench}", machine(), sys.version.split()[0], "")
    rounds = []
    for number in range(typed.rounds):
        checkouts = [_HERE, typed.other.resolve()]
        order = checkouts if number % 2 else checkouts[::-1]
        times = {tree: measure(tree, typed.bench, arguments) for tree in order}
        rounds.append((times[checkouts[0]], times[checkouts[1]]))
        say(f"round {number + 1} of {typed.rounds} done")
    for line in compare(rounds):
        say(line)


def measure(tree: Path, bench: str, arguments: Sequence[str]) -> Seconds:
    """Run a benchmark once in a checkout.

    Raises:
        CalledProcessError: if it fails; its output is on the terminal.
    """
    with TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        once = ("--rounds", "1", "--json", str(figures))
        subprocess.run(  # noqa: S603 - our own benchmark, by this very interpreter
            [sys.executable, "-m", f"bench.{bench}", *arguments, *once],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        result = msgspec.json.decode(figures.read_bytes(), type=Result)
    # A title may end in a sentence with what was measured, which differs from run to run.
    return {
        (table.title.partition(". ")[0], row.way): row.seconds
        for table in result.tables
        for row in table.rows
    }


def compare(rounds: Sequence[tuple[Seconds, Seconds]]) -> Iterator[str]:
    """A line for every way that both checkouts were timed at.

    >>> one = {("a photo", "ours"): 2.0, ("a photo", "gone"): 1.0}
    >>> list(compare([(one, {("a photo", "ours"): 3.0})]))
    ['', 'a photo', '  1.50 (1.50-1.50)  ours']
    """
    title = None
    for section, way in rounds[0][0]:
        if not all((section, way) in times for pair in rounds for times in pair):
            continue
        if section != title:
            yield ""
            yield section
            title = section
        ratios = [there[section, way] / here[section, way] for here, there in rounds]
        yield f"  {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})  {way}"


if __name__ == "__main__":
    main()
