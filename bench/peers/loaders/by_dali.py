"""NVIDIA DALI's reader of tars, on the CPU, with its index beside our tars."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from bench.peers.loaders.data import OURS
from bench.peers.loaders.way import Stored, Task, Way

_THREADS, _SHUFFLED = 2, 1000


class _Pipeline:
    """Gives whole epochs of batches; DALI prefetches in a thread of its own."""

    def __init__(self, threads: int, task: Task, *, decode: bool) -> None:
        from nvidia import dali

        shards = sorted(map(str, (task.root / OURS).glob("*.tar")))
        pipeline = dali.Pipeline(task.batch, threads, device_id=None)
        with pipeline:
            photos, annotations = dali.fn.readers.webdataset(
                paths=shards,
                index_paths=[shard.removesuffix("tar") + "idx" for shard in shards],
                ext=["jpg", "mp"],
                random_shuffle=True,
                initial_fill=_SHUFFLED,
                shard_id=task.rank,
                num_shards=task.world,
                name="reader",
            )
            if decode:
                photos = dali.fn.decoders.image(photos, device="cpu")
            pipeline.set_outputs(photos, annotations)
        pipeline.build()
        self._pipeline = pipeline
        self._batches = pipeline.epoch_size("reader") // task.world // task.batch

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self._batches):
            yield self._pipeline.run()


def _look(batch: Any) -> list[Stored]:
    samples = []
    for photo, annotations in zip(*batch, strict=True):
        name: str = photo.source_info().rpartition(":")[2]
        samples.append((name.removesuffix(".jpg"), _bytes(photo), _bytes(annotations)))
    return samples


def _bytes(tensor: Any) -> bytes:
    return np.asarray(tensor).tobytes()


def _count(batch: Any) -> int:
    return len(batch[0])


RAW, DECODED = "DALI, CPU", "DALI, CPU, decoded, 2 threads"
WAYS: Mapping[str, Way] = {
    RAW: Way("ours", partial(_Pipeline, 1, decode=False), _count, _look, ["nvidia.dali"]),
    DECODED: Way("ours", partial(_Pipeline, _THREADS, decode=True), _count, None, ["nvidia.dali"]),
}
