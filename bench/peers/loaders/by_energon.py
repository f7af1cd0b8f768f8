"""Megatron Energon's training loader on our tars, with our index; members are not decoded."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from bench.peers.loaders.data import OURS
from bench.peers.loaders.way import Stored, Task, Way, one

_SHUFFLED, _SEQUENCE = 1000, 100
"""Values from its documentation."""


class _Loader:
    """Gives as many samples as there are, per epoch; Energon itself never ends."""

    def __init__(self, task: Task) -> None:
        from megatron import energon

        encoder = energon.DefaultTaskEncoder()
        encoder.cookers = [energon.Cooker(energon.stateless(_unchanged))]
        encoder.decoder = None
        dataset = energon.get_train_dataset(
            str((task.root / OURS).parent),
            worker_config=energon.WorkerConfig(
                rank=task.rank, world_size=task.world, num_workers=0
            ),
            batch_size=None,
            shuffle_buffer_size=_SHUFFLED,
            max_samples_per_sequence=_SEQUENCE,
            task_encoder=encoder,
        )
        self._samples = iter(energon.get_loader(dataset))
        self._count = task.samples // task.world

    def __iter__(self) -> Iterator[Any]:
        return islice(self._samples, self._count)


def _unchanged(sample: Any) -> Any:
    return sample


def _open(task: Task) -> Iterable[Any]:
    return _Loader(task)


def _look(sample: Any) -> list[Stored]:
    return [(sample["__key__"], sample["jpg"], sample["mp"])]


ENERGON = "Energon"
WAYS: Mapping[str, Way] = {ENERGON: Way("ours", _open, one, _look, ["megatron.energon"])}
