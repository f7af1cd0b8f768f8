"""Which rank is this process, among how many?"""

import os
import sys

from shards.errors import LoadError

_VARIABLES = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
_LOCAL = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
_MOST_THREADS = 8


def resolve_rank(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """(rank, world size) of this process.

    If neither is given, they come from torch.distributed if a process group exists, else from the
    variables that torchrun, DeepSpeed and Slurm set, else they are (0, 1). torch is not imported
    for this: if the program has not imported it, there is no process group.

    Raises:
        LoadError: if only one is given, or a variable is not a number.

    >>> resolve_rank(2, 8)
    (2, 8)
    """
    if (rank is None) != (world_size is None):
        raise LoadError("rank and world_size are given together or not at all")
    if rank is not None and world_size is not None:
        return rank, world_size
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    for rank_name, world_name in _VARIABLES:
        if rank_name in os.environ and world_name in os.environ:
            return _read_number(rank_name), _read_number(world_name)
    return 0, 1


def default_threads() -> int:
    """This rank's share of the cores that the process may use: at least 1, at most 8."""
    local = next((_read_number(name) for name in _LOCAL if name in os.environ), 1)
    return max(1, min(_MOST_THREADS, len(os.sched_getaffinity(0)) // max(1, local)))


def _read_number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError as error:
        raise LoadError(f"{name} is {os.environ[name]!r}; expected a number") from error
