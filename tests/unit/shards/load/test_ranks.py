"""Rank and world size: given, of torch.distributed, or of the environment."""

import sys
from types import SimpleNamespace

import pytest

from shards.errors import LoadError
from shards.load.ranks import default_threads, resolve_rank

NAMES = ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS")
LOCAL = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")


@pytest.fixture(autouse=True)
def alone(monkeypatch) -> None:
    for name in NAMES + LOCAL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "torch.distributed", raising=False)


def group(rank=3, world=4, *, available=True, initialized=True):
    return SimpleNamespace(
        is_available=lambda: available,
        is_initialized=lambda: initialized,
        get_rank=lambda: rank,
        get_world_size=lambda: world,
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "8"}, (2, 8)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "6"}, (1, 6)),
        ({"RANK": "2", "WORLD_SIZE": "8", "SLURM_PROCID": "1", "SLURM_NTASKS": "6"}, (2, 8)),
        ({"RANK": "2"}, (0, 1)),
    ],
)
def test_the_environment(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve_rank(None, None) == expected
    assert resolve_rank(5, 7) == (5, 7)


def test_torch_is_asked_before_the_environment_and_never_imported(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert resolve_rank(None, None) == (2, 8)
    assert "torch.distributed" not in sys.modules
    monkeypatch.setitem(sys.modules, "torch.distributed", group())
    assert resolve_rank(None, None) == (3, 4)
    assert resolve_rank(5, 7) == (5, 7)
    for other in (group(available=False), group(initialized=False), None):
        monkeypatch.setitem(sys.modules, "torch.distributed", other)
        assert resolve_rank(None, None) == (2, 8)


@pytest.mark.parametrize("given", [(0, None), (None, 2)])
def test_only_one_of_both_is_refused(given):
    with pytest.raises(LoadError, match="rank and world_size are given together or not at all"):
        resolve_rank(*given)


def test_a_variable_that_is_not_a_number(monkeypatch):
    monkeypatch.setenv("RANK", "first")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(LoadError, match="RANK is 'first'; expected a number"):
        resolve_rank(None, None)


def test_ranks_of_a_node_share_its_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(12))
    assert default_threads() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert default_threads() == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert default_threads() == 1
