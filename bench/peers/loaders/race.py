"""Compare ways to load: each in fresh processes, round after round."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import IO

import msgspec

from bench.peers.loaders.cache import drop, warm
from bench.peers.loaders.registry import WAYS
from bench.peers.loaders.steady_disk import limited_to
from bench.peers.loaders.timed import GO, READY, Call, Timed
from shards.manifest import read_manifest

_TIMEOUT = 60
"""Seconds that a process may take."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How ways are compared.

    Attributes:
        root: folder of all formats.
        split: our split in it.
        batch: samples of a batch.
        seconds: time that each way is measured for in a round.
        rounds: number of rounds.
        world: processes at the same time, as ranks of one job.
        cold: start with an empty page cache, and load one epoch at most.
        disk: limit for reads from the disk, in bytes per second; 0 is no limit.
    """

    root: Path
    split: Path
    batch: int
    seconds: float
    rounds: int
    world: int = 1
    cold: bool = False
    disk: int = 0


def race(setting: Setting, ways: Iterable[str]) -> Mapping[str, Sequence[Timed]]:
    """Time every way once per round. Every second round has the reverse order.

    Raises:
        OSError: if the disk cannot be limited to a rate.
    """
    names = list(ways)
    if not setting.cold:
        for folder in sorted({WAYS[name].folder for name in names}):
            warm(setting.root / folder)
    runs: dict[str, list[Timed]] = {name: [] for name in names}
    with limited_to(setting.root, setting.disk) if setting.disk else nullcontext():
        for number in range(setting.rounds):
            for name in names if number % 2 == 0 else names[::-1]:
                runs[name].append(time_once(setting, name))
    return runs


def time_once(setting: Setting, way: str) -> Timed:
    """Time one way, in one process per rank; the rates of all ranks are added up.

    Raises:
        SystemExit: naming the way, if it failed.
    """
    manifest = read_manifest(setting.split)
    call = Call(
        way,
        str(setting.root),
        setting.batch,
        0,
        setting.world,
        manifest.samples,
        sum(info.bytes for info in manifest.shards),
        setting.seconds,
        setting.cold,
    )
    port = str(_free_port())
    with ExitStack() as stack:
        errors = stack.enter_context(TemporaryFile("w+"))
        processes = [
            stack.enter_context(_start(msgspec.structs.replace(call, rank=rank), port, errors))
            for rank in range(setting.world)
        ]
        # A rank that waits for one that failed would wait forever.
        watch = stack.enter_context(_kill_after(processes, _TIMEOUT))
        for process in processes:
            _expect(process, way, errors, READY)
        if setting.cold:
            drop(setting.root / WAYS[way].folder)
        for process in processes:
            _start_timing(process)
        lines = [_expect(process, way, errors) for process in processes]
        watch.cancel()
    return _add([msgspec.json.decode(line, type=Timed) for line in lines])


@contextmanager
def _kill_after(processes: Sequence["subprocess.Popen[str]"], seconds: float) -> Iterator[Timer]:
    """Kill processes after a time; on exit, kill those that still run."""

    def kill() -> None:
        for process in processes:
            process.kill()

    watch = Timer(seconds, kill)
    watch.start()
    try:
        yield watch
    finally:
        watch.cancel()
        kill()


def _start(call: Call, port: str, errors: IO[str]) -> "subprocess.Popen[str]":
    """Start a process that finds its rank in the variables of torchrun."""
    ranks = {"RANK": call.rank, "LOCAL_RANK": call.rank}
    worlds = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), call.world)
    variables = {name: str(number) for name, number in {**ranks, **worlds}.items()}
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "bench.peers.loaders.timed", msgspec.json.encode(call).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, **(variables | here if call.world > 1 else {})},
    )


def _expect(process: "subprocess.Popen[str]", way: str, errors: IO[str], line: str = "") -> str:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    answer = process.stdout.readline().strip()
    if not answer or (line and answer != line):
        errors.seek(0)
        raise SystemExit(f"{way} failed, or took more than {_TIMEOUT} s:\n{errors.read()[-2000:]}")
    return answer


def _start_timing(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.write(f"{GO}\n")
    process.stdin.flush()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


def _add(ranks: Sequence[Timed]) -> Timed:
    """All ranks as one: the work that they do in the time of the slowest."""
    seconds = max(each.seconds for each in ranks)
    rate = sum(each.samples / each.seconds for each in ranks)
    samples = sum(each.samples for each in ranks)
    return Timed(
        samples=rate * seconds,
        seconds=seconds,
        cpu=sum(each.cpu for each in ranks) / samples * rate * seconds,
        first=max(each.first for each in ranks),
        peak=sum(each.peak for each in ranks),
        own=sum(each.own for each in ranks),
    )
