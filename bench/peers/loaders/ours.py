"""This project's loader."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from bench.peers.loaders.data import OURS
from bench.peers.loaders.way import Stored, Task, Way
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.load.reading.batch import RawBatch
from shards.load.transforms import PixelBatch

_WORKERS = 2


def open_loader(
    options: LoaderOptions, task: Task, decode: Literal["raw", "cpu"] = "raw"
) -> Loader:
    """A loader of one rank, without torch."""
    return Loader(
        task.root / OURS,
        task.batch,
        decode=decode,
        rank=task.rank,
        world_size=task.world,
        options=options,
    )


class _Workers:
    """In the workers of torch's DataLoader, which move whole batches."""

    def __init__(self, task: Task) -> None:
        from torch.utils.data import DataLoader

        from shards.load.torch import ShardDataset

        self._dataset = ShardDataset(
            task.root / OURS,
            task.batch,
            example=_members,
            whole_batches=True,
            rank=task.rank,
            world_size=task.world,
        )
        self._loader = DataLoader(self._dataset, batch_size=None, num_workers=_WORKERS)
        self._epoch = 0

    def __iter__(self) -> Iterator[list[Stored]]:
        self._dataset.set_epoch(self._epoch)
        self._epoch += 1
        yield from self._loader


def _members(sample: Any, _seed: int, _item_index: int | None) -> Stored:
    from shards.layout import to_members

    (_, photo), (_, annotations) = to_members(sample)
    return sample.key, photo, annotations


def look_raw(batch: RawBatch) -> list[Stored]:
    """The samples of a raw batch as they are stored."""
    pairs = [(raw.key, raw.members()) for raw in batch]
    return [(key, members["jpg"], members["mp"]) for key, members in pairs]


def _count_pixels(batch: PixelBatch) -> int:
    return len(batch.samples)


ONE, TWO = "ours, 1 thread", "ours, 2 threads"
MAPPED = "ours, mapped, in the caller's thread"
UNCHECKED = "ours, 1 thread, checksums left out"
WORKERS = "ours under a DataLoader, 2 workers"
CPU = "ours, decoded, 2 threads"
CPU_MAPPED = "ours, decoded, 2 threads, mapped"
WAYS: Mapping[str, Way] = {
    ONE: Way("ours", partial(open_loader, LoaderOptions(threads=1)), len, look_raw),
    MAPPED: Way("ours", partial(open_loader, LoaderOptions(threads=0, mmap=True)), len, look_raw),
    UNCHECKED: Way(
        "ours", partial(open_loader, LoaderOptions(threads=1, check=False)), len, look_raw
    ),
    TWO: Way("ours", partial(open_loader, LoaderOptions(threads=2)), len, look_raw),
    WORKERS: Way("ours", _Workers, len, list, ["torch"]),
    CPU: Way(
        "ours", partial(open_loader, LoaderOptions(threads=2), decode="cpu"), _count_pixels, None
    ),
    CPU_MAPPED: Way(
        "ours",
        partial(open_loader, LoaderOptions(threads=2, mmap=True), decode="cpu"),
        _count_pixels,
        None,
    ),
}
