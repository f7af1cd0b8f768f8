"""The webdataset library as documented: shuffled shards and a shuffle buffer of samples."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.peers.loaders.data import OURS
from bench.peers.loaders.formats import TARS
from bench.peers.loaders.way import Stored, Task, Way, one

_SHUFFLED, _WORKERS = 1000, 2


def _dataset(folder: Path) -> Any:
    import webdataset as wds

    tars = sorted(map(str, folder.glob("*.tar")))
    return wds.WebDataset(
        tars, shardshuffle=len(tars), nodesplitter=wds.split_by_node, seed=0
    ).shuffle(_SHUFFLED, rng=None)


def _raw(folder: str | Path, task: Task) -> Any:
    return _dataset(task.root / folder)


def _workers(task: Task) -> Any:
    from torch.utils.data import DataLoader

    # whole batches, as its documentation advises: fewer messages between processes
    dataset = _dataset(task.root / TARS).batched(task.batch, collation_fn=list)
    return DataLoader(dataset, batch_size=None, num_workers=_WORKERS)


def _decoded(folder: str | Path, task: Task) -> Any:
    from torch.utils.data import DataLoader

    samples = _dataset(task.root / folder).decode("pil").to_tuple("jpg", "mp")
    return DataLoader(
        samples.batched(task.batch, collation_fn=_collate), batch_size=None, num_workers=_WORKERS
    )


def _collate(samples: list[tuple[Any, Any]]) -> tuple[Any, list[Any]]:
    import numpy as np
    import torch

    photos = torch.from_numpy(np.stack([np.asarray(photo) for photo, _ in samples]))
    return photos, [annotations for _, annotations in samples]


def _look(sample: dict[str, Any]) -> list[Stored]:
    return [(sample["__key__"], sample["jpg"], sample["mp"])]


def _look_batch(batch: list[dict[str, Any]]) -> list[Stored]:
    return [stored for sample in batch for stored in _look(sample)]


def _count(batch: tuple[Any, list[Any]]) -> int:
    return len(batch[1])


OWN, ON_OURS = "webdataset, its own tars", "webdataset, our tars"
WORKERS = "webdataset under a DataLoader, 2 workers"
DECODED = 'webdataset decode("pil"), DataLoader, 2 workers'
DECODED_OURS = f"{DECODED}, our tars"
WAYS: Mapping[str, Way] = {
    OWN: Way(TARS, partial(_raw, TARS), one, _look, ["webdataset"]),
    ON_OURS: Way("ours", partial(_raw, OURS), one, _look, ["webdataset"]),
    WORKERS: Way(TARS, _workers, len, _look_batch, ["webdataset", "torch"]),
    DECODED: Way(TARS, partial(_decoded, TARS), _count, None, ["webdataset", "torch"]),
    DECODED_OURS: Way("ours", partial(_decoded, OURS), _count, None, ["webdataset", "torch"]),
}
