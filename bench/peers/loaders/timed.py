"""Time one way to load, in a process of its own, from its first batch on.

`python -m bench.peers.loaders.timed` takes a `Call` and prints a `Timed`, both as JSON. In between,
it prints "ready" after its imports, and waits for "go".
"""

import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from bench.peers.loaders.formats import MDS, import_streaming
from bench.peers.loaders.registry import WAYS
from bench.peers.loaders.way import Task

READY, GO = "ready", "go"
_TICKS = os.sysconf("SC_CLK_TCK")


class Call(msgspec.Struct, frozen=True):
    """What a process measures.

    Attributes:
        seconds: time to measure, after a warm-up of half that time; with `once`, from the first
            batch on, for one epoch at most.
    """

    way: str
    root: str
    batch: int
    rank: int
    world: int
    samples: int
    bytes: int
    seconds: float
    once: bool


class Timed(msgspec.Struct, frozen=True):
    """What one process measured.

    Attributes:
        samples: that were loaded in the measured time.
        seconds: the measured time.
        cpu: CPU time of all its processes in it, in seconds.
        first: seconds from opening to the first batch.
        peak: peak memory of its processes, in bytes; shared memory counts in each.
        own: memory at the end without mapped files, in bytes.
    """

    samples: float
    seconds: float
    cpu: float
    first: float
    peak: int
    own: int


def time_way(call: Call) -> Timed:
    """Load and measure."""
    way = WAYS[call.way]
    task = Task(Path(call.root), call.batch, call.rank, call.world, call.samples, call.bytes)
    start = time.perf_counter()
    items = _items(way.open(task), once=call.once)
    next(items)
    first = time.perf_counter() - start
    if not call.once:  # after this, buffers are reused and not allocated
        settled = time.perf_counter() + call.seconds / 2
        while time.perf_counter() < settled:
            next(items)
    began, spent, samples = time.perf_counter(), _cpu(), 0.0
    end, now = began + call.seconds, began
    for item in items:
        samples += way.count(item)
        now = time.perf_counter()
        if now > end:
            break
    return Timed(samples, now - began, _cpu() - spent, first, *_memory())


def _items(opened: Iterable[Any], *, once: bool) -> Iterator[Any]:
    yield from opened
    while not once:
        yield from opened


def _processes() -> Iterator[Path]:
    """This process and its child processes that still run."""
    yield Path("/proc/self")
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended
            children = (task / "children").read_text().split()
            yield from (Path("/proc", child) for child in children)


def _cpu() -> float:
    """CPU time of all processes, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    for process in list(_processes())[1:]:
        with suppress(FileNotFoundError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / _TICKS
    return seconds


def _memory() -> tuple[int, int]:
    """(peak memory, memory without mapped files) in bytes; without processes that have ended."""
    sizes = dict.fromkeys(("VmHWM", "RssAnon", "RssShmem"), 0)
    for process in _processes():
        with suppress(FileNotFoundError):
            for line in (process / "status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in sizes:
                    sizes[name] += int(value.split()[0]) * 1024
    return sizes["VmHWM"], sizes["RssAnon"] + sizes["RssShmem"]


def _import(name: str, rank: int) -> None:
    if name != MDS:
        __import__(name)
        return
    streaming = import_streaming()
    if rank == 0:  # of the last process; the other ranks have not started
        streaming.base.util.clean_stale_shared_memory()


def main() -> None:
    """Import, wait for "go", measure, and print the result."""
    call = msgspec.json.decode(sys.argv[1], type=Call)
    for name in WAYS[call.way].needs:
        _import(name, call.rank)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries goes to stderr
    answers.write(f"{READY}\n")
    sys.stdin.readline()
    answers.write(msgspec.json.encode(time_way(call)).decode() + "\n")
    answers.flush()
    # Threads of some libraries never end.
    os._exit(0)


if __name__ == "__main__":
    main()
