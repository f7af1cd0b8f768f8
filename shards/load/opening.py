"""What a user names becomes a schedule: the arguments that all loaders share."""

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from xxhash import xxh3_64

from shards.errors import LoadError
from shards.load.mixture import Mixture
from shards.load.plan import EpochPlan, Order, Plan
from shards.load.ranks import rank_and_world
from shards.load.schedule import Schedule
from shards.load.split import EVERYTHING, Chosen, Split

_log = logging.getLogger("shards.load")
Data = str | Path | Split | Mixture
"""A split's folder or URL, a split that is open, or several in a mixture."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Data that is ready to be loaded.

    Attributes:
        schedule: of this rank.
        digest: of what is loaded and in which order: equal where a state may be taken over.
    """

    schedule: Schedule
    digest: str


def open_data(
    data: Data, order: Order, chosen: Chosen, rank: int | None, world: int | None
) -> Opened:
    """Open the files and plan.

    Args:
        data: what.
        order: how.
        chosen: which samples, for a split that is named.
        rank: of this process; None asks the environment.
        world: number of processes.

    Raises:
        CorruptShardError: if a manifest or an index is missing or damaged.
        LoadError: saying what does not fit.
    """
    if (rank is None) != (world is None):
        raise LoadError("rank and world_size are given together or not at all")
    if rank is None or world is None:
        rank, world = rank_and_world()
    splits, plan = _plan(data, order, chosen)
    schedule = Schedule(plan, splits, rank, world, order.seed)
    if rank == 0:
        _log.info(_describe(splits, plan, world))
    return Opened(schedule, _digest(data, splits, order))


def _plan(data: Data, order: Order, chosen: Chosen) -> tuple[Sequence[Split], Plan]:
    if isinstance(data, Mixture):
        if chosen != EVERYTHING:
            raise LoadError("the members of a mixture have a question and expand of their own")
        splits = data.open()
        return splits, data.plan(splits, order)
    split = data if isinstance(data, Split) else Split.open(data, chosen)
    try:
        return [split], EpochPlan(split.sizes, order)
    except LoadError as error:
        raise LoadError(f"{split.files.where}: {error}") from error


def _describe(splits: Sequence[Split], plan: Plan, world: int) -> str:
    """How long the first epoch is, and what becomes of samples that fill no batch."""
    where = splits[0].files.where if len(splits) == 1 else f"{len(splits)} datasets"
    each = plan.batch // world
    said = f"{where}: {plan.batches(0):,} batches of {each} for each of {world} ranks in an epoch"
    if isinstance(plan, EpochPlan) and plan.left_over > 0:
        return f"{said}; {plan.left_over} of {len(splits[0]):,} samples fill no batch: left over"
    if isinstance(plan, EpochPlan) and plan.left_over < 0:
        return f"{said}; the last is filled with {-plan.left_over} samples that were given before"
    return said


def _digest(data: Data, splits: Sequence[Split], order: Order) -> str:
    found = xxh3_64(repr(astuple(order)).encode())
    for split in splits:
        found.update(repr((split.manifest.checksum, astuple(split.chosen))).encode())
    if isinstance(data, Mixture):
        shares = [(member.share, member.group) for member in data.members]
        rest = (data.groups, data.at_end, data.epoch_steps, data.epoch_samples)
        found.update(repr((shares, rest)).encode())
    return found.hexdigest()
