"""The minimum cost of loading: reading alone, decoding alone."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import simplejpeg

from bench.peers.loaders.data import OURS, members
from bench.peers.loaders.way import Task, Way
from shards.load.reading.split import Split
from shards.load.sampling.plan import EpochPlan, SampleOrder

_BUFFER, _ROTATED = 1 << 20, 3
"""Batches that a loader holds at least: one is being read, one is ready, one is in use."""


@dataclass(frozen=True, slots=True)
class _Sequential:
    """Reads every tar from start to end, as `cat` does. Items are numbers of samples."""

    task: Task

    def __iter__(self) -> Iterator[float]:
        task, memory = self.task, memoryview(bytearray(_BUFFER))
        tars = sorted((task.root / OURS).glob("*.tar"))
        for tar in tars[task.rank :: task.world]:
            with tar.open("rb", buffering=0) as file:
                while size := file.readinto(memory):
                    yield size * task.samples / task.bytes


@dataclass(frozen=True, slots=True)
class _Reads:
    """Does the reads of our loader, one after the other, and nothing else. Items are batches."""

    task: Task
    rotated: int

    def __iter__(self) -> Iterator[int]:
        task, split = self.task, Split.open(self.task.root / OURS)
        plan = EpochPlan(split.sizes, SampleOrder(task.batch * task.world))
        positions = range(task.rank * task.batch, (task.rank + 1) * task.batch)
        slots = plan.slots(0, range(plan.batches(0)), positions)
        locations = split.locate(slots.examples.ravel())
        files = [os.open(_tar(task.root, name), os.O_RDONLY) for name in split.names]
        columns = (locations.shards, locations.offsets, locations.sizes)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        most = task.batch * int(locations.sizes.max())
        memory = [memoryview(bytearray(most)) for _ in range(self.rotated)]
        try:
            for number, start in enumerate(range(0, len(rows), task.batch)):
                out, end = memory[number % len(memory)], 0
                for shard, offset, size in rows[start : start + task.batch]:
                    os.preadv(files[shard], (out[end : end + size],), offset)
                    end += size
                yield task.batch
        finally:
            for file in files:
                os.close(file)


def _tar(root: Path, name: str) -> Path:
    return root / OURS / name


_THREADS, _PHOTOS = 2, 256
"""Photos that are decoded repeatedly."""


class _Decodes:
    """Decodes photos in memory, by as many threads as there are cores, and nothing else."""

    def __init__(self, task: Task, buffers: int) -> None:
        """Decode into the same memory repeatedly.

        Args:
            task: names the photos.
            buffers: photos that a thread decodes before it overwrites the first.
        """
        self._photos = [photo for _, photo, _ in islice(members(task.root), _PHOTOS)]
        shape = simplejpeg.decode_jpeg(self._photos[0], "RGB").shape
        self._memory = [np.zeros((buffers, *shape), np.uint8) for _ in range(_THREADS)]

    def __iter__(self) -> Iterator[int]:
        with ThreadPoolExecutor(_THREADS) as pool:
            yield from pool.map(self._decode, range(_THREADS))

    def _decode(self, thread: int) -> int:
        mine = self._photos[thread::_THREADS]
        for photo, out in zip(mine, cycle(self._memory[thread]), strict=False):
            simplejpeg.decode_jpeg(photo, "RGB", buffer=out)
        return len(mine)


SEQUENTIAL = "sequential read"
READS = "the same reads, nothing else"
DECODES = "decoding alone, 2 threads"
DECODES_HELD = "decoding alone, 2 threads, to memory of two batches"
WAYS: Mapping[str, Way] = {
    SEQUENTIAL: Way("ours", _Sequential, float, None),
    READS: Way("ours", lambda task: _Reads(task, _ROTATED), float, None),
    DECODES: Way("ours", lambda task: _Decodes(task, 1), float, None),
    DECODES_HELD: Way("ours", lambda task: _Decodes(task, task.batch), float, None),
}
