"""The straight line: scan and plan, make the shards, fold them into manifests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from shutil import rmtree

import msgspec

from convert.config.config import SourceConfig
from convert.engine.execute import Executor, Failed
from convert.job.finish import finish_split
from convert.job.prepare import Job, prepare
from convert.job.progress import Display
from convert.job.scan import WORK, SourcePlan, read_tasks
from convert.job.task import Recipe, Rejection, ShardMaker
from convert.plan import ShardTask
from shards.errors import CorruptShardError
from shards.index.samples import SAMPLES
from shards.index.write import write_indexes
from shards.manifest import MANIFEST, Manifest
from shards.storage import write_if_changed
from shards.verify import Finding, verify
from shards.verify.finding import OTHERS

REFUSED = "rejects.jsonl"
"""In a source's folder: the row of an annotation file that must not be read."""


@dataclass(slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        manifests: of every finished split, in the order of the config.
        unfinished: `<source>/<split>` of the others.
        refused: sources whose annotations must not be read.
        failed: tasks that met a bug of this program, or a machine that gave up.
        made: shards written by this run; the others stood there already.
        damaged: files of the output, old or new, that are not what was written.
    """

    manifests: list[Manifest] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    refused: list[SourcePlan] = field(default_factory=list)
    failed: list[Failed[ShardTask]] = field(default_factory=list)
    made: int = 0
    damaged: list[Finding] = field(default_factory=list)


def convert(job: Job, executor: Executor, display: Display) -> Outcome:
    """Convert, or go on where an interrupted run stopped.

    Raises:
        SourceLayoutError: before any work, naming every source whose files are not right.
        ConfigError: before any work, if shards of another plan are in the way.
    """
    plans = prepare(job, executor, display)
    outcome = Outcome(refused=[plan for plan in plans if plan.refused])
    for plan in plans:
        _announce(job, plan, display)
    make = ShardMaker(
        recipes={name: _recipe(job.config.sources[name]) for name in job.sources},
        indexes=job.config.index_formats(),
        root=job.root,
        out=job.out,
    )
    for result in executor.execute(make, _tasks(job, plans, display)):
        if isinstance(result, Failed):
            outcome.failed.append(result)
            display.say(f"{result.task.shard} FAILED: {result.error.strip().splitlines()[-1]}")
        else:
            outcome.made += 1
            tally = result.result.tally
            display.finished(result.task.source, tally.items, tally.bytes_in)
    for plan in plans:
        _finish(job, plan, outcome)
    try:
        write_indexes(job.out, job.config.index_formats(), shards=False)
    except CorruptShardError as error:
        problem = f"index files could not be written: {error}"
        outcome.damaged.append(Finding(".", problem, OTHERS))
    if not outcome.failed:
        if (job.out / WORK).exists():
            rmtree(job.out / WORK)
        outcome.damaged += verify(job.out, "records")
    return outcome


def _recipe(entry: SourceConfig) -> Recipe:
    return Recipe(entry.source, entry.options.image, entry.options.filters)


def _announce(job: Job, plan: SourcePlan, display: Display) -> None:
    tasks = read_tasks(job.out, plan.source) if _pending(plan) else []
    if tasks:
        display.expect(plan.source, len(tasks), sum(task.count for task in tasks))


def _tasks(job: Job, plans: Iterable[SourcePlan], display: Display) -> Iterator[ShardTask]:
    for plan in plans:
        for split, part in plan.splits.items():
            if part.pending or part.foreign:
                # It vouches for shards that are about to change.
                for name in (MANIFEST, SAMPLES):
                    (job.out / plan.source / split / name).unlink(missing_ok=True)
        if _pending(plan):
            display.begin(plan.source)
            yield from read_tasks(job.out, plan.source)


def _pending(plan: SourcePlan) -> int:
    return sum(part.pending for part in plan.splits.values())


def _finish(job: Job, plan: SourcePlan, outcome: Outcome) -> None:
    folder = job.out / plan.source
    if plan.refused:
        row = Rejection(plan.source, "", "", "", plan.kind, plan.refused)
        write_if_changed(folder / REFUSED, msgspec.json.encode(row) + b"\n")
        return
    (folder / REFUSED).unlink(missing_ok=True)
    for split, part in plan.splits.items():
        manifest = finish_split(
            folder / split,
            job.config.sources[plan.source],
            plan.source,
            split,
            part,
            indexes=job.config.indexes,
        )
        if manifest is None:
            outcome.unfinished.append(f"{plan.source}/{split}")
        else:
            outcome.manifests.append(manifest)
