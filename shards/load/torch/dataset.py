"""`ShardDataset`: samples for a `torch.utils.data.DataLoader`, in the order of `ShardLoader`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from shards.errors import LoadError
from shards.load.batches import LoaderOptions
from shards.load.loader import check_epoch
from shards.load.ranks import resolve_rank
from shards.load.sampling.plan import Tail
from shards.load.schedule import Data
from shards.load.torch.loader import ShardLoader
from shards.load.transforms import ChooseMasks, Collate, Decode, ExampleFunction

_WORKERS, _INSIDE = "workers", "inside"
_WORKER_KEYS = ("epoch", "batch", _WORKERS, _INSIDE)


class ShardDataset(IterableDataset):  # type: ignore[misc] # torch has no types here
    """The samples of one rank, so that a `DataLoader` of the same batch size gives its batches.

    `DataLoader(dataset, batch_size=dataset.batch_size, num_workers=k)` gives the same batches for
    every k. To move each batch between processes as one object, pass `whole_batches=True` here and
    `batch_size=None` to the `DataLoader`. Call `set_epoch` before each epoch, as for a
    `DistributedSampler`.

    With torchdata's `StatefulDataLoader`, each worker saves its own position; resume with the same
    number of workers and ranks. `ShardLoader` has neither limit.

    Arguments and their defaults are those of `ShardLoader`, except:

    Args:
        whole_batches: give batches instead of samples. Default: False.
        options: of each worker. Default: `LoaderOptions(threads=0)`.
    """

    def __init__(  # noqa: PLR0913 - one argument per choice
        self,
        data: Data,
        batch_size: int,
        *,
        whole_batches: bool = False,
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
        """Open the data; errors are raised here and not in a worker."""
        super().__init__()
        rank, world_size = resolve_rank(rank, world_size)  # workers have no process group
        self._open = partial(
            ShardLoader, data, batch_size, decode=decode, example=example, collate=collate,
            masks=masks, labels=labels, device=device, where=where, expand=expand, seed=seed,
            shuffle=shuffle, block=block, streams=streams, tail=tail, rank=rank,
            world_size=world_size, options=options or LoaderOptions(threads=0),
        )  # fmt: skip
        self.batch_size, self._whole = batch_size, whole_batches
        self._loader: ShardLoader | None = self._open()
        self._process = os.getpid()
        # Persistent workers read what the main process writes: (epoch, next batch of all workers).
        self._start = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._worker_state: dict[str, int] | None = None
        self._position: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        """Samples in an epoch on this rank; with `whole_batches`, batches."""
        batches = len(self._live_loader())
        return batches if self._whole else batches * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Start at the first batch of an epoch, unless a state of this epoch was loaded.

        Raises:
            LoadError: if the epoch is out of range.
        """
        if check_epoch(epoch) != int(self._start[0]):
            self._start[:] = torch.tensor([epoch, 0])
            self._worker_state = None

    def state_dict(self) -> dict[str, int | str]:
        """In a worker, its own position; elsewhere, where all workers start."""
        if self._position is None:
            return self._live_loader().state_at(*self._start.tolist())
        # A worker at the end of its epoch stays there: the others may not have finished.
        epoch, batch, inside = self._position
        own = {"batch": batch, _WORKERS: _worker_and_count()[1], _INSIDE: inside}
        return self._live_loader().state_at(epoch, 0) | own

    def state_after(self, batches: int) -> dict[str, int | str]:
        """The state to save after a plain `DataLoader` has given this many batches of its epoch."""
        epoch, first = self._start.tolist()
        return self._live_loader().state_at(epoch, first + batches)

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go to the position of a saved state.

        Raises:
            LoadError: if the state is of other data, another order or another batch size.
        """
        plain = {name: value for name, value in state.items() if name not in (_WORKERS, _INSIDE)}
        if _WORKERS in state:
            self._live_loader().accept(plain)
        else:
            self._live_loader().load_state_dict(plain)
        own = {name: int(value) for name, value in state.items() if name in _WORKER_KEYS}
        if _WORKERS in state:
            self._worker_state = own
            if get_worker_info() is None:
                self._start[:] = torch.tensor([own["epoch"], 0])
        elif get_worker_info() is None:
            self._start[:] = torch.tensor([own["epoch"], own["batch"]])
            self._worker_state = None
        else:  # one worker must not change what all workers read
            worker, workers = _worker_and_count()
            batch = own["batch"] + worker
            self._worker_state = own | {"batch": batch, _WORKERS: workers, _INSIDE: 0}

    def __iter__(self) -> Iterator[Any]:
        """The samples or batches of this worker, to the end of the epoch."""
        loader = self._live_loader()
        worker, workers = _worker_and_count()
        epoch, first = self._start.tolist()
        first, inside = first + worker, 0
        if self._worker_state is not None:
            epoch, first, inside = self._take_worker_state(workers)
        numbers = range(first, len(loader), workers)
        self._position = epoch, first, inside
        for number, batch in zip(numbers, loader.run(epoch, numbers), strict=True):
            if self._whole:
                self._position = epoch, number + workers, 0
                yield batch
                continue
            for index, sample in enumerate(self._fill(batch)):
                if index >= inside:
                    last = index + 1 == self.batch_size
                    self._position = (epoch, number + workers * last, 0 if last else index + 1)
                    yield sample
            inside = 0

    def _take_worker_state(self, workers: int) -> tuple[int, int, int]:
        """(epoch, batch, samples of it that were given) of the loaded state, which is then used."""
        state = self._worker_state or {}
        if state[_WORKERS] != workers:
            raise LoadError(
                f"the state is of one of {state[_WORKERS]} workers, here are {workers}: use "
                f"{state[_WORKERS]}; states of ShardLoader and state_after() fit any number"
            )
        self._worker_state = None
        return state["epoch"], state["batch"], state[_INSIDE]

    def _fill(self, batch: Any) -> Iterator[Any]:
        """The samples of a batch; skipped ones are replaced by others of the same batch.

        A shorter batch would leave this rank with fewer batches than others, which wait for it.
        """
        samples = list(getattr(batch, "samples", batch))
        if not samples:
            raise LoadError("every sample of the batch was skipped")
        yield from samples
        yield from islice(cycle(samples), max(0, self.batch_size - len(samples)))

    def _live_loader(self) -> ShardLoader:
        """The loader; in a worker process, a new one with its own files."""
        if self._loader is None or self._process != os.getpid():
            self._loader, self._process = self._open(), os.getpid()
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loader": None}


def _worker_and_count() -> tuple[int, int]:
    """(index of this worker, number of workers)."""
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)
