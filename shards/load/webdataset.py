"""The samples as the `webdataset` library has them, in our order: the first stage of a pipeline.

`wds.DataPipeline(samples("OUT/refcoco/train", 32), wds.decode("pil"), wds.batched(32))`
"""

from collections.abc import Iterator
from typing import Any

from shards.load.loader import Data
from shards.load.torch.dataset import ShardDataset


class WebDatasetSamples(ShardDataset):
    """Samples as dicts: `__key__`, and each member's bytes by its extension.

    Ranks and workers share them exactly: no `split_by_node` or `split_by_worker` is wanted, and
    every rank has as many.
    """

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of this worker, to the end of the epoch."""
        for raw in super().__iter__():
            yield {"__key__": raw.key} | raw.members()


def samples(data: Data, batch_size: int, **settings: Any) -> WebDatasetSamples:
    """The first stage of a `webdataset.DataPipeline`.

    Args:
        data: as for `ShardLoader`.
        batch_size: that the pipeline makes on each rank; what fills no such batch is left over.
        settings: as for `ShardLoader`: seed, shuffle, question, rank...
    """
    return WebDatasetSamples(data, batch_size, decode="raw", **settings)
