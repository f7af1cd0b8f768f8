"""Batches by threads."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import distributed

from shards.errors import LoadError
from shards.load.batches import BatchTransform, LoaderOptions
from shards.load.loader import Data, Loader, open_data
from shards.load.ranks import rank_and_world, threads
from shards.load.reading.buffers import Bytes, shaped
from shards.load.reading.split import Selection
from shards.load.sampling.plan import SampleOrder, Tail
from shards.load.transforms import (
    ChooseMasks,
    ExampleFunction,
    ExampleTransform,
    PixelTransform,
    RawTransform,
    no_masks,
)

Decode = Literal["raw", "cpu", "cuda"]
Collate = Callable[[list[Any]], Any]


def ranks() -> tuple[int, int]:
    """(rank, world size) as torch.distributed has them, or else the environment."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return rank_and_world()


def make_transform(  # noqa: PLR0913 - a choice each
    decode: Decode,
    example: ExampleFunction[Any] | Sequence[ExampleFunction[Any]] | None,
    collate: Collate,
    *,
    masks: ChooseMasks,
    labels: bool,
    device: str,
) -> BatchTransform[Any]:
    """What samples are made into; the arguments are those of `ShardLoader`.

    Raises:
        LoadError: if there is no such way.
    """
    if example is not None:
        return ExampleTransform(example, collate)
    if decode == "raw":
        return RawTransform()
    if decode == "cpu":
        if not torch.cuda.is_available():
            return PixelTransform(masks, labels)
        return PixelTransform(masks, labels, Pinned(), Pinned())
    if decode == "cuda":
        from shards.load.torch.cuda import DeviceTransform

        return DeviceTransform(masks, torch.device(device))
    raise LoadError(f"decode is {decode!r}; expected 'raw', 'cpu' or 'cuda'")


class Pinned:
    """Memory that a GPU reads by itself.

    Torch gives it out again, and knows which copies to a GPU are not done when the last reference
    goes: `Memory` sees references alone.
    """

    def take(self, size: int) -> Bytes:
        """An array of so many bytes, with whatever was in it before: uint8 [size]."""
        memory: Bytes = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
        return memory

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The same for any shape and type."""
        return shaped(self.take, shape, dtype)


def as_list(made: list[Any]) -> list[Any]:
    """The batch is the list of its examples."""
    return made


class ShardLoader(Loader[Any]):
    """Batches of one rank, made by threads of this process: no worker is forked, nothing pickled.

    Iterating goes on where the loader stands, to the end of the epoch; the next epoch follows. What
    all ranks are given together depends on `ranks x batch_size` and the seed alone, so that a saved
    state goes on with any number of ranks.
    """

    def __init__(  # noqa: PLR0913 - a setting each
        self,
        data: Data,
        batch_size: int,
        *,
        decode: Decode = "cpu",
        example: ExampleFunction[Any] | Sequence[ExampleFunction[Any]] | None = None,
        collate: Collate = as_list,
        masks: ChooseMasks = no_masks,
        labels: bool = False,
        device: str = "cuda",
        question: str = "",
        expand: str = "",
        seed: int = 0,
        shuffle: bool = True,
        block: int = 2,
        streams: int = 8,
        tail: Tail = "drop",
        rank: int | None = None,
        world_size: int | None = None,
        pace: LoaderOptions | None = None,
    ) -> None:
        """Open the data.

        Args:
            data: folder or URL of a split, a `Split`, or a `Mixture`.
            batch_size: samples of a batch on each rank.
            decode: `raw` gives a `RawBatch`, `cpu` a `PixelBatch`, `cuda` a `DeviceBatch`.
            example: instead of these: makes an example of each sample, in the threads; one for all,
                or one for each member of a mixture.
            collate: makes a batch of the examples.
            masks: which regions' masks are painted.
            labels: whether label maps are decoded (`cpu`).
            device: for `cuda`.
            question: which samples: `masks >= 3 and classes contains 'dog'`.
            expand: a column, such as `phrases`: a sample is given once for each.
            seed: of all chance.
            shuffle: False keeps the stored order.
            block: shards among whose samples is shuffled at a time.
            streams: that read shards of their own side by side.
            tail: what becomes of samples that fill no batch: `drop`, or `pad` with others.
            rank: of this process; by default torch.distributed's, or the environment's.
            world_size: how many there are.
            pace: threads, prefetch, memory, checks; none of it changes a batch.

        Raises:
            CorruptShardError: if a manifest or an index is missing or damaged.
            LoadError: saying what does not fit.
        """
        if rank is None and world_size is None:
            rank, world_size = ranks()
        order = SampleOrder(batch_size * (world_size or 1), seed, shuffle, block, streams, tail)
        opened = open_data(data, order, Selection(question, expand), rank, world_size)
        work = make_transform(decode, example, collate, masks=masks, labels=labels, device=device)
        super().__init__(opened.schedule, work, pace or LoaderOptions(threads()), opened.digest)
