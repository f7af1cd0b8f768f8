"""torch's DataLoader on loose files: one for each photo, and one for its annotations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.peers.loaders.formats import FILES
from bench.peers.loaders.way import Stored, Task, Way

_WORKERS = 2


class Files:
    """A map-style dataset of stored samples."""

    def __init__(self, folder: Path, rank: int, world: int) -> None:
        self._photos = sorted(map(str, folder.glob("*.jpg")))[rank::world]

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, number: int) -> Stored:
        photo = self._photos[number]
        with open(photo, "rb") as one, open(f"{photo[:-3]}mp", "rb") as other:  # noqa: PTH123 - the fastest
            return photo, one.read(), other.read()


class Photos(Files):
    """A map-style dataset of decoded photos and annotations."""

    def __getitem__(self, number: int) -> Any:
        import io

        import msgspec
        import numpy as np
        from PIL import Image

        _, photo, annotations = super().__getitem__(number)
        with Image.open(io.BytesIO(photo)) as image:
            return np.asarray(image.convert("RGB")), msgspec.msgpack.decode(annotations)


def _load(dataset: Any, batch: int, workers: int, collate: Any) -> Any:
    from torch.utils.data import DataLoader

    return DataLoader(dataset, batch, shuffle=True, num_workers=workers, collate_fn=collate)


def _here(task: Task) -> Any:
    return _load(Files(task.root / FILES, task.rank, task.world), task.batch, 0, list)


def _workers(task: Task) -> Any:
    return _load(Files(task.root / FILES, task.rank, task.world), task.batch, _WORKERS, list)


def _decoded(task: Task) -> Any:
    photos = Photos(task.root / FILES, task.rank, task.world)
    return _load(photos, task.batch, _WORKERS, _collate)


def _collate(samples: list[Any]) -> tuple[Any, list[Any]]:
    import numpy as np
    import torch

    photos = torch.from_numpy(np.stack([photo for photo, _ in samples]))
    return photos, [annotations for _, annotations in samples]


def _look(batch: list[Stored]) -> list[Stored]:
    return [(Path(name).stem, photo, annotations) for name, photo, annotations in batch]


def _count(batch: tuple[Any, list[Any]]) -> int:
    return len(batch[1])


HERE = "loose files, a DataLoader"
WORKERS = "loose files, a DataLoader, 2 workers"
DECODED = "loose files, Pillow, a DataLoader, 2 workers"
WAYS: Mapping[str, Way] = {
    HERE: Way(FILES, _here, len, _look, ["torch"]),
    WORKERS: Way(FILES, _workers, len, _look, ["torch"]),
    DECODED: Way(FILES, _decoded, _count, None, ["torch"]),
}
