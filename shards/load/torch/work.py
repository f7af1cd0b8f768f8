"""What samples are made into, and for whom, where torch is."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import distributed

from shards.errors import LoadError
from shards.load.making import Work
from shards.load.memory import Bytes, shaped
from shards.load.pixels import ChooseMasks, PixelWork
from shards.load.ranks import rank_and_world
from shards.load.works import Example, ExampleWork, RawWork

Decode = Literal["raw", "cpu", "cuda"]
Collate = Callable[[list[Any]], Any]


def ranks() -> tuple[int, int]:
    """(rank, world size) as torch.distributed has them, or else the environment."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return rank_and_world()


def make_work(  # noqa: PLR0913 - a choice each
    decode: Decode,
    example: Example[Any] | Sequence[Example[Any]] | None,
    collate: Collate,
    *,
    masks: ChooseMasks,
    labels: bool,
    device: str,
) -> Work[Any]:
    """What samples are made into; the arguments are those of `ShardLoader`.

    Raises:
        LoadError: if there is no such way.
    """
    if example is not None:
        return ExampleWork(example, collate)
    if decode == "raw":
        return RawWork()
    if decode == "cpu":
        if not torch.cuda.is_available():
            return PixelWork(masks, labels)
        return PixelWork(masks, labels, Pinned(), Pinned())
    if decode == "cuda":
        from shards.load.torch.device import DeviceWork

        return DeviceWork(masks, torch.device(device))
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
