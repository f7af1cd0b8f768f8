"""Samples for a `torch.utils.data.DataLoader`, in the order of `ShardLoader`."""

import os
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from shards.errors import LoadError
from shards.load.batches import LoaderOptions
from shards.load.loader import Data, check_epoch
from shards.load.torch.loader import ShardLoader, ranks

_WORKERS, _INSIDE = "workers", "inside"
_OWN = ("epoch", "batch", _WORKERS, _INSIDE)


class ShardDataset(IterableDataset):  # type: ignore[misc]
    """The samples of one rank, such that a `DataLoader` of the same batch size gives its batches.

    `DataLoader(dataset, batch_size=dataset.batch_size, num_workers=k)` gives the same batches for
    every k. Give `whole_batches=True` and `batch_size=None` to the `DataLoader` to move each batch
    between processes as one. Call `set_epoch` before each epoch, as for a `DistributedSampler`.

    For torchdata's `StatefulDataLoader`, each worker's place is its own state; that goes on with
    as many workers and ranks as it was saved with. `ShardLoader` has neither limit.
    """

    def __init__(
        self, data: Data, batch_size: int, *, whole_batches: bool = False, **settings: Any
    ) -> None:
        """Open the data, to see that it is there.

        Args:
            data: as for `ShardLoader`.
            batch_size: samples of a batch on each rank.
            whole_batches: give batches and not samples.
            settings: as for `ShardLoader`; `pace` is that of each worker, by default no threads.
        """
        super().__init__()
        if settings.get("rank") is None and settings.get("world_size") is None:
            settings["rank"], settings["world_size"] = ranks()
        settings.setdefault("pace", LoaderOptions(threads=0))
        self.batch_size, self._whole = batch_size, whole_batches
        self._made_of = (data, batch_size, settings)
        self._loader: ShardLoader | None = ShardLoader(data, batch_size, **settings)
        self._process = os.getpid()
        # Persistent workers see what the main process writes: (epoch, next batch of all workers).
        self._begin = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._own: dict[str, int] | None = None
        self._place: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        """Samples of an epoch on this rank; batches, if whole ones are given."""
        batches = len(self._live())
        return batches if self._whole else batches * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Begin at the first batch of an epoch, unless that is the one a state was loaded for.

        Raises:
            LoadError: if there is no such epoch.
        """
        if check_epoch(epoch) != int(self._begin[0]):
            self._begin[:] = torch.tensor([epoch, 0])
            self._own = None

    def state_dict(self) -> dict[str, int | str]:
        """In a worker, its own place; elsewhere where all workers begin."""
        if self._place is None:
            return self._live().state_at(*self._begin.tolist())
        # A worker that has given all it has stays at the end: the others may be behind.
        epoch, batch, inside = self._place
        own = {"batch": batch, _WORKERS: _workers()[1], _INSIDE: inside}
        return self._live().state_at(epoch, 0) | own

    def state_after(self, batches: int) -> dict[str, int | str]:
        """The state to save when a plain `DataLoader` has given so many batches of its epoch."""
        epoch, first = self._begin.tolist()
        return self._live().state_at(epoch, first + batches)

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go where a state says.

        Raises:
            LoadError: if it is of other data, other batches, or a worker among more or fewer.
        """
        plain = {name: value for name, value in state.items() if name not in (_WORKERS, _INSIDE)}
        if _WORKERS in state:
            self._live().accept(plain)
        else:
            self._live().load_state_dict(plain)
        own = {name: int(value) for name, value in state.items() if name in _OWN}
        if _WORKERS in state:
            self._own = own
            if get_worker_info() is None:
                self._begin[:] = torch.tensor([own["epoch"], 0])
        elif get_worker_info() is None:
            self._begin[:] = torch.tensor([own["epoch"], own["batch"]])
            self._own = None
        else:  # what all workers see is not for one of them to change
            worker, workers = _workers()
            self._own = own | {"batch": own["batch"] + worker, _WORKERS: workers, _INSIDE: 0}

    def __iter__(self) -> Iterator[Any]:
        """The samples or batches of this worker, to the end of the epoch."""
        loader = self._live()
        worker, workers = _workers()
        epoch, first = self._begin.tolist()
        first, inside = first + worker, 0
        if self._own is not None:
            if self._own[_WORKERS] != workers:
                raise LoadError(
                    f"the state is of one of {self._own[_WORKERS]} workers, here are {workers}: "
                    f"take as many; ShardLoader's states and those of state_after() know no workers"
                )
            epoch, first, inside = (self._own[name] for name in ("epoch", "batch", _INSIDE))
            self._own = None
        numbers = range(first, len(loader), workers)
        self._place = epoch, first, inside
        for number, batch in zip(numbers, loader.run(epoch, numbers), strict=True):
            if self._whole:
                self._place = epoch, number + workers, 0
                yield batch
                continue
            for place, each in enumerate(self._fill(batch)):
                if place >= inside:
                    last = place + 1 == self.batch_size
                    self._place = (epoch, number + workers * last, 0 if last else place + 1)
                    yield each
            inside = 0

    def _fill(self, batch: Any) -> Iterator[Any]:
        """The samples of a batch; one that was skipped has another of the same in its place.

        A shorter one would leave this rank with fewer batches than others, which wait for it.
        """
        given = list(getattr(batch, "samples", batch))
        if not given:
            raise LoadError("every sample of the batch was skipped")
        yield from given
        yield from islice(cycle(given), max(0, self.batch_size - len(given)))

    def _live(self) -> ShardLoader:
        """The loader; in a worker, one with files of its own."""
        if self._loader is None or self._process != os.getpid():
            data, batch_size, settings = self._made_of
            self._loader, self._process = ShardLoader(data, batch_size, **settings), os.getpid()
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loader": None}


def _workers() -> tuple[int, int]:
    """(number of this worker, how many there are)."""
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)
