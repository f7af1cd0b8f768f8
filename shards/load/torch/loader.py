"""Batches by threads."""

from collections.abc import Sequence
from typing import Any

from shards.load.loader import Loader
from shards.load.making import Pace
from shards.load.opening import Data, open_data
from shards.load.pixels import ChooseMasks, no_masks
from shards.load.plan import Order, Tail
from shards.load.ranks import threads
from shards.load.split import Chosen
from shards.load.torch.work import Collate, Decode, as_list, make_work, ranks
from shards.load.works import Example


class ShardLoader(Loader[Any]):
    """Batches of one rank, made by threads of this process: no worker is forked, nothing pickled.

    Iterating goes on where the loader stands, to the end of the epoch; the next epoch follows. What
    all ranks are given together depends on `ranks x batch_size` and the seed alone, so that a saved
    state goes on with any number of ranks.
    """

    def __init__(  # noqa: PLR0913 - a setting each
        self,
        data: Data,
        batch_size: int,
        *,
        decode: Decode = "cpu",
        example: Example[Any] | Sequence[Example[Any]] | None = None,
        collate: Collate = as_list,
        masks: ChooseMasks = no_masks,
        labels: bool = False,
        device: str = "cuda",
        question: str = "",
        expand: str = "",
        seed: int = 0,
        shuffle: bool = True,
        block: int = 2,
        streams: int = 8,
        tail: Tail = "drop",
        rank: int | None = None,
        world_size: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Open the data.

        Args:
            data: folder or URL of a split, a `Split`, or a `Mixture`.
            batch_size: samples of a batch on each rank.
            decode: `raw` gives a `RawBatch`, `cpu` a `PixelBatch`, `cuda` a `DeviceBatch`.
            example: instead of these: makes an example of each sample, in the threads; one for all,
                or one for each member of a mixture.
            collate: makes a batch of the examples.
            masks: which regions' masks are painted.
            labels: whether label maps are decoded (`cpu`).
            device: for `cuda`.
            question: which samples: `masks >= 3 and classes contains 'dog'`.
            expand: a column, such as `phrases`: a sample is given once for each.
            seed: of all chance.
            shuffle: False keeps the stored order.
            block: shards among whose samples is shuffled at a time.
            streams: that read shards of their own side by side.
            tail: what becomes of samples that fill no batch: `drop`, or `pad` with others.
            rank: of this process; by default torch.distributed's, or the environment's.
            world_size: how many there are.
            pace: threads, prefetch, memory, checks; none of it changes a batch.

        Raises:
            CorruptShardError: if a manifest or an index is missing or damaged.
            LoadError: saying what does not fit.
        """
        if rank is None and world_size is None:
            rank, world_size = ranks()
        order = Order(batch_size * (world_size or 1), seed, shuffle, block, streams, tail)
        opened = open_data(data, order, Chosen(question, expand), rank, world_size)
        work = make_work(decode, example, collate, masks=masks, labels=labels, device=device)
        super().__init__(opened.schedule, work, pace or Pace(threads()), opened.digest)
