"""`ShardLoader`: the loader with torch's pinned memory, and decoding on a GPU."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from shards.load.batches import BatchTransform, LoaderOptions
from shards.load.loader import Loader
from shards.load.reading.batch import BufferPool, take_array
from shards.load.sampling.plan import Tail
from shards.load.schedule import Data, DataArguments
from shards.load.transforms import (
    ChooseMasks,
    Collate,
    Decode,
    ExampleFunction,
    OutputArguments,
    no_masks,
)
from shards.pixels import Bytes

_SUPPORTED: tuple[Decode, ...] = ("raw", "cpu", "cuda")


class ShardLoader(Loader):
    """A `Loader` for torch: batches of one rank, loaded by threads of this process.

    If there is a GPU, decoded photos are in pinned memory, which a GPU copies by itself. All
    arguments and their defaults are those of `shards.load.loader.Loader`, and two more:

    Args:
        decode: `"cuda"` decodes photos and paints masks on a GPU, and gives a `DeviceBatch`.
        device: for `decode="cuda"`. Default: `"cuda"`, the current GPU.
    """

    def __init__(  # noqa: PLR0913 - one argument per choice
        self,
        data: Data,
        batch_size: int,
        *,
        decode: Decode = "cpu",
        example: ExampleFunction[Any] | Sequence[ExampleFunction[Any]] | None = None,
        collate: Collate | None = None,
        masks: ChooseMasks | None = None,
        labels: bool = False,
        device: str | Any | None = None,
        where: str = "",
        expand: str = "",
        seed: int = 0,
        shuffle: bool = True,
        block: int = 2,
        streams: int = 8,
        tail: Tail = "drop",
        rank: int | None = None,
        world_size: int | None = None,
        options: LoaderOptions | None = None,
    ) -> None:
        """Open the data. Threads run only while you iterate.

        Raises:
            CorruptShardError: if a manifest or an index is missing or damaged.
            LoadError: if arguments are out of range, contradict each other, or do not fit the data.
        """
        output = OutputArguments(
            decode=decode, example=example, collate=collate, masks=masks, labels=labels,
            device=device, supported=_SUPPORTED,
        )  # fmt: skip
        source = DataArguments(
            data=data, batch_size=batch_size, where=where, expand=expand, seed=seed,
            shuffle=shuffle, block=block, streams=streams, tail=tail, rank=rank,
            world_size=world_size,
        )  # fmt: skip
        schedule, digest = source.open()
        self._start(schedule, digest, _to_transform(output, len(schedule.splits)), options)


def _to_transform(output: OutputArguments, datasets: int) -> BatchTransform[Any]:
    if output.decode == "cuda":
        from shards.load.torch.cuda import DeviceTransform

        device = torch.device("cuda" if output.device is None else output.device)
        return DeviceTransform(output.masks or no_masks, device)
    return output.to_transform(datasets, PinnedMemory if torch.cuda.is_available() else BufferPool)


class PinnedMemory:
    """Memory that a GPU copies by itself.

    torch reuses it, and knows which copies to a GPU are still running after the last reference is
    gone; `BufferPool` knows references only.
    """

    def take(self, size: int) -> Bytes:
        """An uninitialised array of this many bytes: uint8 [size]."""
        memory: Bytes = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
        return memory

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An uninitialised array of any shape and type, as `np.empty` gives."""
        return take_array(self.take, shape, dtype)
