"""PyTorch: `ShardLoader` makes batches by threads, `ShardDataset` feeds a `DataLoader`."""

from shards.load.making import Pace
from shards.load.mixture import Member, Mixture
from shards.load.pixels import all_masks, no_masks
from shards.load.split import Chosen, Split
from shards.load.torch.dataset import ShardDataset
from shards.load.torch.loader import ShardLoader

__all__ = [
    "Chosen", "Member", "Mixture", "Pace", "ShardDataset", "ShardLoader", "Split", "all_masks",
    "no_masks",
]  # fmt: skip
