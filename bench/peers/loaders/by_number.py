"""Libraries that give samples by number: wids on our tars, MosaicML's MDS."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bench.peers.loaders.formats import LINKS, MDS, import_streaming
from bench.peers.loaders.way import Stored, Task, Way, one


class _ByNumber:
    """Gives every sample once, in a random order that differs in each epoch."""

    def __init__(self, get: Callable[[int], Any], numbers: range) -> None:
        self._get, self._numbers = get, numbers
        self._epoch = 0

    def __iter__(self) -> Iterator[Any]:
        numbers = np.random.default_rng(self._epoch).permutation(np.asarray(self._numbers))
        self._epoch += 1
        return map(self._get, numbers.tolist())


def _wids(task: Task) -> Iterable[Any]:
    import wids

    folder = task.root / LINKS
    # the folder already has the shards, so that wids copies none
    dataset = wids.ShardListDataset(
        str(folder / "shardindex.json"), cache_dir=str(folder), transformations=[_read]
    )
    return _blocks(dataset, task)


def _blocks(dataset: Any, task: Task) -> _ByNumber:
    return _ByNumber(dataset.__getitem__, range(task.rank, len(dataset), task.world))


def _read(sample: dict[str, Any]) -> dict[str, Any]:
    """Members as bytes; wids gives files."""
    return {name: each.read() if name.startswith(".") else each for name, each in sample.items()}


def _look_wids(sample: dict[str, Any]) -> list[Stored]:
    return [(sample["__key__"], sample[".jpg"], sample[".mp"])]


def _streaming(task: Task) -> Any:
    return import_streaming().StreamingDataset(
        local=str(task.root / MDS), shuffle=True, batch_size=task.batch
    )


def _mds(task: Task) -> Iterable[Any]:
    return _blocks(_streaming(task), task)


def _look_mds(sample: dict[str, Any]) -> list[Stored]:
    return [(sample["key"], sample["jpg"], sample["mp"])]


WIDS, BY_NUMBER = "wids", "MDS, by number"
ITERATED = "MDS, iterated"
WAYS: Mapping[str, Way] = {
    WIDS: Way(LINKS, _wids, one, _look_wids, ["wids"]),
    BY_NUMBER: Way(MDS, _mds, one, _look_mds, ["streaming"]),
    ITERATED: Way(MDS, _streaming, one, _look_mds, ["streaming"]),
}
