"""PyTorch: `ShardLoader` loads batches by threads, `ShardDataset` feeds a `DataLoader`."""

from shards.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401 - first, so that one message says what is missing
except ImportError as error:
    raise MissingExtraError(
        f"shards.load.torch needs torch ({error}): pip install 'glamm-shards[torch]'"
    ) from error

from shards.load.batches import LoaderOptions
from shards.load.mixture import Mixture, MixtureDataset
from shards.load.reading.split import Selection, Split
from shards.load.torch.dataset import ShardDataset
from shards.load.torch.loader import ShardLoader
from shards.load.transforms import all_masks, no_masks

__all__ = [
    "LoaderOptions",
    "Mixture",
    "MixtureDataset",
    "Selection",
    "ShardDataset",
    "ShardLoader",
    "Split",
    "all_masks",
    "no_masks",
]  # fmt: skip
