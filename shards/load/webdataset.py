"""Samples in the form of the `webdataset` library, in our order: the first stage of a pipeline.

`wds.DataPipeline(samples("OUT/refcoco/train", 32), wds.decode("pil"), wds.batched(32))`
"""

from collections.abc import Iterator
from typing import Any

from shards.load.batches import LoaderOptions
from shards.load.sampling.plan import Tail
from shards.load.schedule import Data
from shards.load.torch.dataset import ShardDataset


class WebDatasetSamples(ShardDataset):
    """Samples as dicts: `__key__`, and each member's bytes by its extension.

    Ranks and workers share the samples exactly: use neither `split_by_node` nor `split_by_worker`.
    Every rank gets the same number of samples.
    """

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of this worker, to the end of the epoch."""
        for raw in super().__iter__():
            yield {"__key__": raw.key} | raw.members()


def samples(  # noqa: PLR0913 - one argument per choice
    data: Data,
    batch_size: int,
    *,
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
) -> WebDatasetSamples:
    """The first stage of a `webdataset.DataPipeline`.

    Args and their defaults are those of `shards.load.loader.Loader`. `batch_size` is that of the
    pipeline on each rank; `options` are those of each worker, by default without threads.
    """
    return WebDatasetSamples(
        data, batch_size, decode="raw", where=where, expand=expand, seed=seed, shuffle=shuffle,
        block=block, streams=streams, tail=tail, rank=rank, world_size=world_size, options=options,
    )  # fmt: skip
