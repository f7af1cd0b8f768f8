"""Where a loader stands: what is saved with a model, and found again by any number of ranks."""

from collections.abc import Mapping
from typing import Self

import msgspec

from shards.errors import LoadError

_VERSION = 1
_EPOCHS = 1 << 31


class State(msgspec.Struct, frozen=True):
    """The next batch to give.

    Attributes:
        epoch: it is of.
        batch: its number in the epoch.
        batch_size: samples of a batch, over all ranks.
        data: digest of what is loaded and in which order.
        version: of these fields.
    """

    epoch: int
    batch: int
    batch_size: int
    data: str
    version: int = _VERSION

    def at(self, epoch: int, batch: int) -> Self:
        """Another batch of the same order."""
        return msgspec.structs.replace(self, epoch=epoch, batch=batch)

    def as_dict(self) -> dict[str, int | str]:
        """As plain values."""
        return msgspec.structs.asdict(self)

    def accept(self, saved: Mapping[str, int | str]) -> Self:
        """Where a saved state says.

        Raises:
            LoadError: if it is none, or of another order.
        """
        if unknown := sorted(set(saved) - set(self.__struct_fields__)):
            raise LoadError(
                f"not a loader's state: it has {', '.join(unknown)}. That of a worker is for a "
                f"ShardDataset, under as many workers"
            )
        try:
            state = msgspec.convert(dict(saved), type(self))
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise LoadError(f"not a loader's state: {error}") from error
        if state.version != _VERSION:
            raise LoadError(f"a state of version {state.version}; this program has {_VERSION}")
        if state.batch_size != self.batch_size:
            raise LoadError(
                f"the state is of batches of {state.batch_size} samples over all ranks, this "
                f"loader's have {self.batch_size}: take ranks x batch_size = {state.batch_size}"
            )
        if state.data != self.data:
            raise LoadError(
                "the state is of other data or another order: the shards, their splits, weights, "
                "question, expand, seed, block, streams, tail and epoch must be those it was saved "
                "with"
            )
        if state.batch < 0:
            raise LoadError(f"a state of batch {state.batch}")
        check_epoch(state.epoch)
        return state


def check_epoch(epoch: int) -> int:
    """The epoch itself.

    Raises:
        LoadError: if there is no such.
    """
    if not 0 <= epoch < _EPOCHS:
        raise LoadError(f"epoch {epoch}; expected 0 or more, below 2**31")
    return epoch
