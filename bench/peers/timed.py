"""Time one way to do the job, without start-up, in a process of its own.

`python -m bench.peers.timed WAY --root DATA --out FOLDER --config FILE` prints JSON.
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from bench.peers.listing import LISTINGS
from convert.config.config import Config, load_config
from convert.engine.execute import Executor, open_executor
from convert.job.job import convert
from convert.job.prepare import Job
from convert.job.task import keep_freed_memory
from convert.sources.files import DataRoot
from convert.sources.kinds import SOURCES

app = App(help=__doc__)
MIXED = "mixed"
JobWay = Literal["ours", "twins", "bare", "naive", "ray-data"]
Convert = Callable[[Path, Sequence[str]], int]
"""(output folder, sources) -> number of photos converted."""


class JobTimes(msgspec.Struct, frozen=True):
    """Photos and seconds by source, or of `mixed` for all sources in one job.

    Attributes:
        peak: peak memory of this process in bytes.
    """

    photos: dict[str, int]
    seconds: dict[str, float]
    peak: int


@dataclass(frozen=True, slots=True)
class TimedJob:
    """One way, its data and number of processes; `each` makes every source a job of its own."""

    way: JobWay
    root: Path
    out: Path
    config: Config
    sources: tuple[str, ...]
    workers: int
    each: bool = False


class _Silent:
    """A display that shows nothing."""

    def expect(self, source: str, shards: int, images: int) -> None:
        pass

    def start(self, source: str) -> None:
        pass

    def add(self, source: str, images: int, bytes_in: int) -> None:
        pass

    def log(self, line: str) -> None:
        pass


def _ours(task: TimedJob, executor: Executor, out: Path, names: Sequence[str]) -> int:
    train = frozenset(("train",))
    job = Job(task.config, DataRoot(task.root), out, tuple(names), splits=train)
    outcome = convert(job, executor, _Silent())
    lost = sum(manifest.tally.lost for manifest in outcome.manifests)
    if lost or outcome.failed or outcome.unfinished:
        raise SystemExit(f"{lost} photos lost, {len(outcome.failed)} shards failed")
    return sum(manifest.samples for manifest in outcome.manifests)


@contextmanager
def _opened(job: TimedJob) -> Iterator[Convert]:
    """The way as a function, after everything that can start before the photos are known."""
    if job.way in {"ours", "twins"}:
        with open_executor(0 if job.way == "twins" else job.workers) as executor:
            yield partial(_ours, job, executor)
    elif job.way == "ray-data":
        from bench.peers import ray_data

        with ray_data.started(job.workers):
            yield lambda out, names: ray_data.convert(job.root, out, names, job.workers)
    else:
        from bench.peers import naive

        yield lambda out, names: naive.convert(job.root, out, names, job.workers)


def time_way(job: TimedJob) -> JobTimes:
    """Convert all sources together or each alone, after the last source as a warm-up."""
    if job.way == "bare":
        return _time_bare(job)
    photos: dict[str, int] = {}
    seconds: dict[str, float] = {}
    with _opened(job) as convert_:
        convert_(job.out / "warm", job.sources[-1:])
        if job.way == "twins":
            photos[MIXED], seconds[MIXED] = _time_twins(convert_, job)
            return JobTimes(photos, seconds, _peak())
        alone = {one: (one,) for one in job.sources}
        for name, group in (alone if job.each else {MIXED: job.sources}).items():
            start = time.perf_counter()
            photos[name] = convert_(job.out / name, group)
            seconds[name] = time.perf_counter() - start
    return JobTimes(photos, seconds, _peak())


def _time_bare(job: TimedJob) -> JobTimes:
    from bench.peers import bare

    keep_freed_memory()  # as a worker does
    photos: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for name in job.sources:
        loaded = bare.load(job.root, job.config, name)
        bare.run_kernels(loaded[0])
        start = time.perf_counter()
        for each in loaded:
            bare.run_kernels(each)
        photos[name], seconds[name] = len(loaded), time.perf_counter() - start
    if not job.each:
        photos, seconds = {MIXED: sum(photos.values())}, {MIXED: sum(seconds.values())}
    return JobTimes(photos, seconds, _peak())


def _time_twins(convert_: Convert, job: TimedJob) -> tuple[int, float]:
    """(photos, seconds) of processes that each do the whole job at once: the limit of the cores."""
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(job.workers + 1), context.SimpleQueue()

    def work(number: int) -> None:
        gate.wait()
        results.put(convert_(job.out / f"twin-{number}", job.sources))

    twins = [context.Process(target=work, args=(number,)) for number in range(job.workers)]
    for twin in twins:
        twin.start()
    gate.wait()
    start = time.perf_counter()
    photos = sum(results.get() for _ in twins)
    seconds = time.perf_counter() - start
    for twin in twins:
        twin.join()
    return photos, seconds


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@app.default
def main(  # noqa: PLR0913 - one per option
    way: JobWay,
    *,
    root: Path,
    out: Path,
    config: Path,
    workers: int = 1,
    source: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = tuple(LISTINGS),
    each: bool = False,
) -> None:
    """Time one way; its output goes to `out` and is removed."""
    task = TimedJob(way, root, out, load_config(config, SOURCES), source, workers, each)
    try:
        timed = time_way(task)
    finally:
        rmtree(out, ignore_errors=True)
    sys.stdout.write(msgspec.json.encode(timed).decode() + "\n")


if __name__ == "__main__":
    app()
