"""The simple script's function for one photo, run by Ray Data instead of a process pool.

`write_webdataset` writes one file per block, with a random name. Mapping and writing are one task,
so samples do not pass through Ray's object store; the descriptions of photos do.
"""

import logging
import os
import pickle
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.listing import list_photos
from bench.peers.naive import convert_photo, prepare

_BATCH = 4
_BLOCKS = 4
"""Blocks per worker, so that two workers finish at about the same time."""
_MEMBERS = ("__key__", "jpg", "mp", "labels.png")


@contextmanager
def started(workers: int) -> Iterator[None]:
    """Run a local Ray for the duration of the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def convert(root: Path, out: Path, sources: Iterable[str], workers: int) -> int:
    """Number of photos converted: training splits of some sources. Ray must be running."""
    import ray

    photos = [photo for source in sources for photo in list_photos(root, source)]
    random.Random(0).shuffle(photos)  # noqa: S311 - for the order of training
    # Pickled: Arrow has no type for masks that are polygons or RLEs.
    rows = [{"photo": pickle.dumps(photo)} for photo in photos]
    out.mkdir(parents=True)
    (
        ray.data.from_items(rows, override_num_blocks=min(len(rows), workers * _BLOCKS))
        .map_batches(convert_batch, batch_size=_BATCH)
        # no encoder: the members are bytes already
        .write_webdataset(str(out), encoder=None)
    )
    return len(photos)


def convert_batch(batch: dict[str, Any]) -> dict[str, list[Any]]:
    """Samples of pickled photos: member -> a value per sample, None for a sample without it."""
    prepare()
    samples = [convert_photo(pickle.loads(data)) for data in batch["photo"]]  # noqa: S301 - our own
    return {name: [sample.get(name) for sample in samples] for name in _MEMBERS}
