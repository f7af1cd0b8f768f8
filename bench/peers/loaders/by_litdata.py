"""litdata on its own chunks."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.peers.loaders.formats import CHUNKS
from bench.peers.loaders.way import Stored, Task, Way, one


def _open(task: Task) -> Iterable[Any]:
    import litdata

    dataset: Iterable[Any] = litdata.StreamingDataset(str(task.root / CHUNKS), shuffle=True)
    return dataset


def _look(sample: dict[str, Any]) -> list[Stored]:
    return [(sample["key"], sample["jpg"], sample["mp"])]


LITDATA = "litdata"
WAYS: Mapping[str, Way] = {LITDATA: Way(CHUNKS, _open, one, _look, ["litdata"])}
