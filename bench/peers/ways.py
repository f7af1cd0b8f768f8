"""The ways to do the whole job, each run in a process of its own, round after round."""

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

from bench.measure import Times, race
from bench.peers.timed import Timed, Way

REPOSITORY = Path(__file__).parent.parent.parent
NAIVE, PAIR = "naive, 1 process", "naive, 2 processes"
COPY = "naive, 1 process, keeping photos that fit"
HERE, ONE, TWO = "ours, in process", "ours, 1 worker", "ours, 2 workers"
TWINS = "ours, 2 processes without Ray"
DATA = "Ray Data, 2 workers"
BARE = "bare kernels"
TIMED: dict[str, tuple[Way, int]] = {
    NAIVE: ("naive", 1),
    HERE: ("ours", 0),
    BARE: ("bare", 1),
    ONE: ("ours", 1),
    TWO: ("ours", 2),
    TWINS: ("twins", 2),
    COPY: ("naive-copy", 1),
    PAIR: ("naive", 2),
    DATA: ("ray-data", 2),
}
"""Name -> way and workers, timed without start-up. Twins each do all of it, at the same time."""
WHOLE = ("whole command: ours, 2 workers", "whole command: naive, 2 processes")
"""Timed with start-up."""


@dataclass
class Bench:
    """A drawn miniature and everything timed on it."""

    root: Path
    work: Path
    config: Path
    sources: tuple[str, ...]
    timed: dict[str, list[Timed]] = field(default_factory=dict)
    whole: dict[str, list[float]] = field(default_factory=dict)

    def race(self, rounds: int) -> None:
        """Run every way once to warm up, and once in each round."""
        ways: dict[str, Callable[[], object]] = {
            name: partial(self._run_timed, name, *how)
            for name, how in TIMED.items()
            if name != DATA or _has_ray_data()
        }
        ways |= {name: partial(self._run_whole, name) for name in WHOLE}
        race(ways, rounds=rounds, seconds=0)
        # The first of each was the warm-up.
        self.timed = {name: found[1:] for name, found in self.timed.items()}
        self.whole = {name: found[1:] for name, found in self.whole.items()}

    def _run_timed(self, name: str, way: Way, workers: int) -> None:
        self.timed.setdefault(name, []).append(self.time(way, workers, self.sources))

    def time(self, way: Way, workers: int, sources: Sequence[str]) -> Timed:
        """One way, in a process of its own."""
        out = self.work / "timed"
        arguments = [way, "--config", self.config, "--workers", workers]
        output = self._python("bench.peers.timed", *arguments, *self._places(out, sources))
        return msgspec.json.decode(output.splitlines()[-1], type=Timed)

    def _run_whole(self, name: str) -> None:
        out, ours = self.work / "whole", "ours" in name
        options = ["--split", "train", "--config", self.config] if ours else []
        module = "convert.run" if ours else "bench.peers.naive"
        start = time.perf_counter()
        self._python(module, *options, "--workers", 2, *self._places(out, self.sources))
        self.whole.setdefault(name, []).append(time.perf_counter() - start)
        rmtree(out)

    def _places(self, out: Path, sources: Sequence[str]) -> list[object]:
        return ["--root", self.root, "--out", out, "--source", *sources]

    @staticmethod
    def _python(module: str, *arguments: object) -> str:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        done = subprocess.run(  # noqa: S603 - our own modules
            command, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{module} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    @property
    def photos(self) -> dict[str, int]:
        """How many photos each source has for training, and `mixed` all of them."""
        return self.timed[HERE][0].photos

    def times(self, source: str) -> Times:
        """Seconds per photo, of every way that was timed on a source."""
        return {
            name: [timed.seconds[source] / timed.photos[source] for timed in each]
            for name, each in self.timed.items()
            if source in each[0].seconds
        }


def _has_ray_data() -> bool:
    return all(find_spec(name) for name in ("pandas", "pyarrow"))
