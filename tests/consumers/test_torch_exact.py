"""Ranks times worker processes share exactly; ranks that fail do not leave the others waiting."""

import os
import signal
import subprocess
import sys
from itertools import chain, islice

import pytest

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader  # noqa: E402

from shards.glamm import Settings, examples_for  # noqa: E402
from shards.load.torch import LoaderOptions, Mixture, ShardDataset, ShardLoader  # noqa: E402
from shards.load.transforms import all_masks  # noqa: E402
from tests.conftest import REPOSITORY  # noqa: E402
from tests.loading import held, held_in_the_end, write_split  # noqa: E402

pytestmark = [
    pytest.mark.consumers,
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),  # by torchdata
]
SHARDS = {1: [61], 2: [30, 31], 7: [9, 1, 20, 0, 3, 17, 11], 50: [1, 2] * 25}
WORKERS = (0, 1, 4)
BATCH = 24


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("splits")
    return {count: write_split(folder / str(count), sizes) for count, sizes in SHARDS.items()}


def seeded(sample, seed, item_index):
    return sample.key, seed, item_index


def identity(batch):
    return batch


def loaded(split, world, workers, *, epoch=0):
    """What the data loaders of all ranks give together, batch by batch."""
    ranks = []
    for rank in range(world):
        own = BATCH // world
        dataset = ShardDataset(split, own, example=seeded, tail="pad", rank=rank, world_size=world)
        dataset.set_epoch(epoch)
        loader = DataLoader(dataset, batch_size=own, num_workers=workers, collate_fn=identity)
        ranks.append(list(loader))
        assert len(ranks[-1]) == len(loader)
    return [list(chain.from_iterable(batches)) for batches in zip(*ranks, strict=True)]


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("shards", SHARDS)
def test_ranks_and_workers_share_exactly(splits, shards, workers):
    loader = ShardLoader(splits[shards], BATCH, example=seeded, tail="pad", rank=0, world_size=1)
    expected = list(loader)
    for world in (1, 2, 3, 8):
        assert loaded(splits[shards], world, workers) == expected
    assert {key for key, *_ in chain.from_iterable(expected)} == {
        f"small-{number:06d}" for number in range(sum(SHARDS[shards]))
    }


@pytest.mark.parametrize("workers", WORKERS)
def test_a_stateful_data_loader_of_a_rank_goes_on_at_every_step(splits, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def make():
        dataset = ShardDataset(splits[7], 6, example=seeded, rank=1, world_size=2)
        return stateful.StatefulDataLoader(
            dataset, batch_size=6, num_workers=workers, collate_fn=identity
        )

    undisturbed = list(make())
    assert len(undisturbed) == 5
    for stop in range(1, len(undisturbed)):
        loader = make()
        results = list(islice(loader, stop))
        state = loader.state_dict()
        again = make()
        again.load_state_dict(state)
        assert results + list(again) == undisturbed


def die(sample, _seed, _item_index):
    if sample.key.endswith("7"):
        os.kill(os.getpid(), signal.SIGKILL)
    return sample.key


def test_a_worker_that_dies_is_an_error(splits):
    dataset = ShardDataset(splits[7], 6, example=die)
    loader = DataLoader(dataset, batch_size=6, num_workers=2, collate_fn=identity)
    with pytest.raises(RuntimeError, match=r"worker \(pid"):
        list(loader)


@pytest.mark.parametrize("way", ["pixels", "glamm", "mixture", "workers"])
def test_epochs_of_decoding_leak_nothing(converted, way):
    """A hundred epochs more hold as many files and threads as ten did, and no more memory."""
    small = Settings(clip_side=28, sam_side=64)
    options = LoaderOptions(threads=2)
    folder = converted / "refcoco" / "train"
    if way == "pixels":
        loader = ShardLoader(folder, 2, masks=all_masks, options=options)
    elif way == "glamm":
        loader = ShardLoader(folder, 2, example=examples_for(folder, small), options=options)
    elif way == "mixture":
        mixture = Mixture.of({"mix": {"refcoco": 1, "ade20k": 1}, "epoch_steps": 4}, converted)
        loader = ShardLoader(mixture, 2, example=examples_for(mixture, small), options=options)
    else:
        dataset = ShardDataset(folder, 2, example=seeded)
        loader = DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=identity)
    for _ in range(10):
        list(loader)
    files, threads, pages = held()
    for _ in range(100):
        list(loader)
    results = held_in_the_end(files, threads)
    assert results[0] <= files
    assert results[1] <= threads
    assert results[2] - pages < 2000  # 8 MB: less than a photo an epoch


RANK = """
import os, sys
from datetime import timedelta
import torch
from torch import distributed
from shards.load.torch import LoaderOptions, ShardLoader

split, rendezvous, rank, skip, dies = sys.argv[1:]
distributed.init_process_group(
    "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=2,
    timeout=timedelta(seconds=30),
)
loader = ShardLoader(split, 5, decode="raw", options=LoaderOptions(threads=2, skip=int(skip)))
steps = samples = 0
for batch in loader:
    count = torch.tensor([len(batch)])
    distributed.all_reduce(count)  # as the gradients of a step are
    steps, samples = steps + 1, samples + int(count)
    if rank == dies and steps == 2:
        os.kill(os.getpid(), 9)
distributed.barrier()  # one that is gone first would take the other along
distributed.destroy_process_group()
print(steps, samples, loader.skipped)
"""


def run_two(split, folder, *, skip=0, dies="nobody"):
    """(exit status, output, errors) of two ranks; it is an error of this test if one continues."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, split, folder / "rendezvous", str(rank), str(skip), dies],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(2)
    ]
    try:
        outputs = [rank.communicate(timeout=120) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    return [(rank.returncode, *each) for rank, each in zip(ranks, outputs, strict=True)]


def damaged(folder):
    """A split with one damaged sample, which one rank reads."""
    split = write_split(folder / "damaged", [20, 20, 20])
    path = sorted(split.glob("*.tar"))[1]
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    return split


def test_two_ranks_of_which_one_reads_damage(tmp_path):
    """It reports the damage and ends; torch.distributed then ends the other."""
    results = run_two(damaged(tmp_path), tmp_path)
    assert all(status == 1 for status, *_ in results)
    errors = [error for *_, error in results]
    wrong = [error for error in errors if "CorruptShardError" in error]
    assert len(wrong) == 1
    assert "small-train-000001.tar, byte 0" in wrong[0]
    (other,) = (error for error in errors if error not in wrong)
    assert "RuntimeError" in other or "DistBackendError" in other


def test_two_ranks_that_skip_damage(tmp_path):
    """Both finish: one batch is shorter, none is missing."""
    results = run_two(damaged(tmp_path), tmp_path, skip=1)
    assert [status for status, *_ in results] == [0, 0]
    (first, second) = (output.split() for _, output, _ in results)
    assert first[:2] == second[:2] == ["6", "59"]
    assert sorted((first[2], second[2])) == ["0", "1"]


@pytest.mark.parametrize("dies", ["0", "1"])
def test_two_ranks_of_which_one_is_killed(tmp_path, dies):
    split = write_split(tmp_path / "small", [20, 20, 20])
    results = run_two(split, tmp_path, dies=dies)
    assert results[int(dies)][0] == -signal.SIGKILL
    status, _, error = results[1 - int(dies)]
    assert status == 1
    assert "all_reduce" in error
