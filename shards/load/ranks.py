"""Which of how many processes this is, where torch does not say it."""

import os

from shards.errors import LoadError

_FALLBACK = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
_LOCAL = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
_MOST_THREADS = 8


def rank_and_world() -> tuple[int, int]:
    """From the environment that torchrun, DeepSpeed and Slurm set; (0, 1) where none did.

    Raises:
        LoadError: naming a variable that is not a number.
    """
    for rank, world in _FALLBACK:
        if rank in os.environ and world in os.environ:
            return _number(rank), _number(world)
    return 0, 1


def threads() -> int:
    """A fair share of the cores that this process may run on, at least one."""
    here = next((_number(name) for name in _LOCAL if name in os.environ), 1)
    return max(1, min(_MOST_THREADS, len(os.sched_getaffinity(0)) // max(1, here)))


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError as error:
        raise LoadError(f"{name} is {os.environ[name]!r}; expected a number") from error
