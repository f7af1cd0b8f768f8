"""Ways to do the whole job, each run in a process of its own, round after round."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

import msgspec

from bench.harness.measure import Times, race
from bench.peers.timed import JobTimes, JobWay

REPOSITORY = Path(__file__).parent.parent.parent
NAIVE, PAIR = "naive, 1 process", "naive, 2 processes"
PAIR_STOCK = "naive with stock Pillow, 2 processes"
HERE, ONE, TWO = "ours, in process", "ours, 1 worker", "ours, 2 workers"
TWINS = "ours, 2 processes without Ray"
DATA = "Ray Data, 2 workers"
BARE = "bare kernels"


@dataclass(frozen=True, slots=True)
class How:
    """A way of `bench.peers.timed`.

    Attributes:
        stock: run by the interpreter that has stock Pillow.
    """

    way: JobWay
    workers: int
    stock: bool = False


TIMED: dict[str, How] = {
    NAIVE: How("naive", 1),
    PAIR: How("naive", 2),
    PAIR_STOCK: How("naive", 2, stock=True),
    DATA: How("ray-data", 2),
    HERE: How("ours", 0),
    BARE: How("bare", 1),
    ONE: How("ours", 1),
    TWO: How("ours", 2),
    TWINS: How("twins", 2),
}
"""Name -> way, timed without start-up. Each of the twins does the whole job."""
WHOLE = ("whole command: ours, 2 workers", "whole command: naive, 2 processes")
"""Commands timed with start-up."""


@dataclass
class Bench:
    """A drawn miniature and the times measured on it.

    Attributes:
        stock: an interpreter with stock Pillow.
        each: make every source a job of its own, instead of one job for all.
    """

    root: Path
    work: Path
    config: Path
    sources: tuple[str, ...]
    stock: Path | None = None
    each: bool = False
    timed: dict[str, list[JobTimes]] = field(default_factory=dict)
    whole: dict[str, list[float]] = field(default_factory=dict)

    def race(self, names: Sequence[str], rounds: int) -> None:
        """Run ways once to warm up, then once per round; ways that cannot run are skipped.

        Args:
            names: keys of `TIMED`, or of `WHOLE`.
            rounds: number of rounds.
        """
        ways: dict[str, Callable[[], object]] = {}
        for name in names:
            if name in WHOLE:
                ways[name] = partial(self._run_whole, name)
            elif self._can_run(name):
                ways[name] = partial(self._run_timed, name)
        race(ways, rounds=rounds, seconds=0)
        # the first was the warm-up
        self.timed = {name: each[1:] for name, each in self.timed.items()}
        self.whole = {name: each[1:] for name, each in self.whole.items()}

    def _can_run(self, name: str) -> bool:
        if TIMED[name].stock:
            return self.stock is not None
        return name != DATA or all(find_spec(name) for name in ("pandas", "pyarrow"))

    def _run_timed(self, name: str) -> None:
        self.timed.setdefault(name, []).append(self.time(TIMED[name], self.sources))

    def time(self, how: How, sources: Sequence[str]) -> JobTimes:
        """Time one way in a process of its own."""
        out = self.work / "timed"
        arguments = [how.way, "--config", self.config, "--workers", how.workers]
        arguments += ["--each"] if self.each else []
        python = self.stock if how.stock else None
        output = self._python(
            "bench.peers.timed", *arguments, *self._paths(out, sources), python=python
        )
        return msgspec.json.decode(output.splitlines()[-1], type=JobTimes)

    def _run_whole(self, name: str) -> None:
        out, ours = self.work / "whole", "ours" in name
        options = ["--split", "train", "--config", self.config] if ours else []
        module = "convert.run" if ours else "bench.peers.naive"
        start = time.perf_counter()
        self._python(module, *options, "--workers", 2, *self._paths(out, self.sources))
        self.whole.setdefault(name, []).append(time.perf_counter() - start)
        rmtree(out)

    def _paths(self, out: Path, sources: Sequence[str]) -> list[object]:
        return ["--root", self.root, "--out", out, "--source", *sources]

    @staticmethod
    def _python(module: str, *arguments: object, python: Path | None = None) -> str:
        command = [str(python or sys.executable), "-m", module, *map(str, arguments)]
        done = subprocess.run(  # noqa: S603 - our own modules
            command, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{module} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def times(self, source: str) -> Times:
        """Way -> seconds per photo of a source in each round."""
        return {
            name: [timed.seconds[source] / timed.photos[source] for timed in each]
            for name, each in self.timed.items()
            if source in each[0].seconds
        }

    def photos(self, name: str) -> dict[str, int]:
        """Source -> number of photos that a way converted; `mixed` is all of them."""
        return self.timed[name][0].photos
