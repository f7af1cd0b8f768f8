"""How good is the shuffle, which node reads which shard, and what does planning cost?

`python -m bench.plan [--samples N]` plans ten million samples by default. It reads no sample.
"""

import resource
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import partial

import numpy as np

from bench.harness.command import Claim, Section, run
from bench.harness.measure import say
from shards.load.sampling.plan import EpochPlan, SampleOrder, rank_slice
from shards.random import Ints

_PER_SHARD, _BATCH, _TAKEN = 5000, 256, 4096
_SHUFFLES = ((1, 1), (4, 1), (1, 8), (2, 8), (4, 8), (2, 64))
_NODES = (1, 2, 4, 8, 16, 64)
_SHUFFLED, _STORED = "shuffled", "in stored order"


def main() -> None:
    """Measure."""
    run("plan", sections, ["numpy"], arguments)


def arguments(parser: ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--samples", type=int, default=10_000_000, help="of the dataset")


def sections(typed: Namespace) -> Iterator[Section]:
    """Measure the cost of a plan; print the quality of the shuffle first."""
    sizes = np.full(typed.samples // _PER_SHARD, _PER_SHARD)
    say("", f"{typed.samples} samples in {len(sizes)} shards, batches of {_BATCH}", "")
    describe_quality(sizes)
    describe_nodes(sizes)
    plans = {
        _SHUFFLED: EpochPlan(sizes, SampleOrder(_BATCH)),
        _STORED: EpochPlan(sizes, SampleOrder(_BATCH, shuffle=False)),
    }
    batches = _TAKEN // _BATCH
    ways = {
        name: partial(plan.slots, 0, range(1000, 1000 + batches), range(_BATCH))
        for name, plan in plans.items()
    }
    yield Section("A sample's share of planning", ways, [Claim(_SHUFFLED, _STORED)], _TAKEN)
    jumps = {
        "any batch of any epoch, from nothing": lambda: EpochPlan(sizes, SampleOrder(_BATCH)).slots(
            7, [30_000 % (len(sizes) * 19)], range(_BATCH)
        )
    }
    yield Section("Going on where a state says", jumps)
    say(f"memory at the most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


def describe_quality(sizes: Ints) -> None:
    """Print how batches differ from those of a full shuffle, for data that is stored sorted.

    Spread: of the batches' mean position in the stored order; 1 for a full shuffle. Shards: number
    of shards that a batch is from.
    """
    say("block x streams   spread   shards in a batch")
    whole = int(sizes.sum())
    uniform = np.random.default_rng(0).permutation(whole)
    _say_quality("wholly random", uniform[: whole // _BATCH * _BATCH].reshape(-1, _BATCH))
    for block, streams in _SHUFFLES:
        plan = EpochPlan(sizes, SampleOrder(_BATCH, block=block, streams=streams))
        taken = range(0, plan.batches(0), max(1, plan.batches(0) // 2000))
        _say_quality(f"{block} x {streams}", plan.slots(0, taken, range(_BATCH)).examples)


def _say_quality(name: str, examples: Ints) -> None:
    positions = examples / examples.max()
    spread = float(np.std(positions.mean(axis=1)) * np.sqrt(12 * examples.shape[1]))
    shards = np.mean([len(np.unique(batch // _PER_SHARD)) for batch in examples[:500]])
    say(f"{name:16}  {spread:6.2f}   {shards:6.1f}")


def describe_nodes(sizes: Ints) -> None:
    """Print how many nodes read each shard in an epoch, on average."""
    plan = EpochPlan(sizes[:512], SampleOrder(_BATCH))
    say("", "nodes   a shard is read by, with 8 streams")
    for nodes in _NODES:
        read = 0
        for node in range(nodes):
            own = rank_slice(_BATCH, node, nodes)
            examples = plan.slots(0, range(plan.batches(0)), own).examples
            read += len(np.unique(examples // _PER_SHARD))
        say(f"{nodes:5}   {read / 512:.2f}")


if __name__ == "__main__":
    main()
