"""Samples as bytes, batch by batch, and the memory that they are read into."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from threading import Lock
from typing import Any, NamedTuple, Protocol, Self
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from shards.layout import from_members
from shards.load.reading.split import SampleLocations
from shards.random import Ints, Words
from shards.sample import Sample
from shards.tar import parse_name, parse_sample, split_name


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What one rank reads for one batch.

    Attributes:
        epoch: of the batch.
        number: of the batch in its epoch.
        dataset_indices: int64 [examples]; dataset of each example.
        shard_keys: int64 [examples]; shard of each example, unique over all datasets.
        locations: where each example's sample is; arrays [examples].
        seeds: uint64 [examples]; random bits of each example, which the loader's seed, the dataset,
            the pass over it and the example determine.
    """

    epoch: int
    number: int
    dataset_indices: Ints
    shard_keys: Ints
    locations: SampleLocations
    seeds: Words

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.dataset_indices)

    def select(self, positions: range) -> Self:
        """The request for some of its examples."""
        if len(positions) == len(self):
            return self
        here = slice(positions.start, positions.stop)
        return replace(
            self,
            dataset_indices=self.dataset_indices[here],
            shard_keys=self.shard_keys[here],
            locations=SampleLocations._make(column[here] for column in self.locations),
            seeds=self.seeds[here],
        )

    @property
    def coded_bytes(self) -> int:
        """Size of all samples in their tars."""
        return int(self.locations.sizes.sum())

    @property
    def pixels(self) -> Ints:
        """Pixels of each stored photo: int64 [examples]."""
        areas: Ints = self.locations.heights * self.locations.widths
        return areas


class RawSample(NamedTuple):
    """One sample as it is stored in its tar.

    Attributes:
        data: headers, contents and padding; `bytes(data)` makes a copy to keep.
        dataset_index: its dataset: 0, or its place in a mixture.
        row: its number in the split.
        item_index: with `expand`, the number of the caption, phrase... that this example is about;
            else None.
        seed: 64 random bits of this example.
    """

    data: memoryview
    dataset_index: int
    row: int
    item_index: int | None
    seed: int

    @property
    def key(self) -> str:
        """The sample's key.

        Raises:
            CorruptShardError: if a header is damaged; a compared checksum rules that out.
        """
        return split_name(parse_name(self.data, 0))[0]

    def members(self) -> dict[str, bytes]:
        """Extension -> content.

        Raises:
            CorruptShardError: if a header is damaged; a compared checksum rules that out.
        """
        return parse_sample(self.data)[1]

    def sample(self) -> Sample:
        """The sample with its annotations decoded.

        Raises:
            CorruptShardError: if a header is damaged; a compared checksum rules that out.
            SampleError: if the annotations do not follow the format.
        """
        return from_members(*parse_sample(self.data))


class RawBatch:
    """Samples of a batch, in order: a sequence of `RawSample`, each built on access.

    Attributes:
        data: bytes of each sample; views of memory that is reused once no view of it is left, or of
            mapped files.
        positions: of each sample in the request: a skipped sample leaves a gap.
        request: what was to be read.
    """

    __slots__ = ("data", "positions", "request")

    def __init__(
        self, request: BatchRequest, data: list[memoryview], positions: Sequence[int]
    ) -> None:
        self.request, self.data, self.positions = request, data, positions

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[RawSample]:
        return map(self.__getitem__, range(len(self.data)))

    def __getitem__(self, number: int) -> RawSample:
        """The sample of this number among those that were read."""
        request, position = self.request, self.positions[number]
        item_index = int(request.locations.item_indices[position])
        return RawSample(
            self.data[number],
            int(request.dataset_indices[position]),
            int(request.locations.rows[position]),
            item_index if item_index >= 0 else None,
            int(request.seeds[position]),
        )


_ROUND = 1 << 16
"""Smaller arrays are not pooled: Python itself reuses their memory."""


class Allocator(Protocol):
    """A source of memory for samples."""

    def take(self, size: int) -> NDArray[np.uint8]:
        """An uninitialised array of this many bytes: uint8 [size]."""

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An uninitialised array of any shape and type, as `np.empty` gives."""


class BufferPool:
    """Memory that is reused: fresh pages cost more than reading into old ones.

    An array's memory is reused once nothing refers to it: no slice of it, and no view in another
    library. All of them refer to the array that owns the bytes, and Python counts these references.
    An array never owns more than twice its size, and idle memory never exceeds the peak in use.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._owners: list[NDArray[np.uint8]] = []
        self._peak = 0
        self.unlock()
        _of_this_process.add(self)

    def unlock(self) -> None:
        """Replace the lock after a fork: a thread that does not exist here may hold it."""
        self._lock = Lock()

    def take(self, size: int) -> NDArray[np.uint8]:
        """An uninitialised array of this many bytes: uint8 [size]."""
        with self._lock:
            owner = self._find(size)
        return owner[:size]

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An uninitialised array of any shape and type, as `np.empty` gives."""
        return take_array(self.take, shape, dtype)

    def _find(self, size: int) -> NDArray[np.uint8]:
        owners = self._owners
        idle = [n for n in range(len(owners)) if _references(owners, n) == _UNUSED]
        fitting = [n for n in idle if size <= len(owners[n]) <= max(2 * size, _ROUND)]
        if fitting:
            owners.append(owners.pop(fitting[-1]))  # the last used: it may be in the CPU's cache
        else:
            self._release(idle, size)
            owners.append(np.empty(_rounded(size), np.uint8))
        return owners[-1]

    def _release(self, idle: list[int], size: int) -> None:
        """Free the idle memory that was not used for longest, down to the peak in use."""
        unused = sum(len(self._owners[number]) for number in idle)
        used = sum(map(len, self._owners)) - unused
        self._peak = max(self._peak, used + size)
        released = 0
        while unused > self._peak:
            unused -= len(self._owners[idle[released]])
            released += 1
        for number in reversed(idle[:released]):
            del self._owners[number]


def take_array(
    take: Callable[[int], NDArray[np.uint8]], shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """An array of any shape and type; if it is large, in memory of `take`."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if size < _ROUND:
        return np.empty(shape, kind)
    array: NDArray[Any] = take(size).view(kind).reshape(shape)
    return array


def _rounded(size: int) -> int:
    """Up to an eighth more, so that arrays of nearly the same size can reuse the memory."""
    step = max(_ROUND, 1 << max(0, size.bit_length() - 4))
    return -(-max(size, 1) // step) * step


def _references(owners: list[NDArray[np.uint8]], number: int) -> int:
    return sys.getrefcount(owners[number])


_UNUSED = _references([np.empty(1, np.uint8)], 0)
"""References to an array that only the list refers to."""

_of_this_process: WeakSet[BufferPool] = WeakSet()


def _begin_child() -> None:
    for each in list(_of_this_process):
        each.unlock()


os.register_at_fork(after_in_child=_begin_child)
