"""The whole job: plan, convert shards, write manifests and indexes, verify."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from shutil import rmtree

import msgspec

from convert.config.config import SourceConfig
from convert.engine.execute import Executor, Failed
from convert.job.finish import finish_split
from convert.job.prepare import Job, prepare
from convert.job.progress import Display
from convert.job.scan import SourcePlan, read_tasks
from convert.job.task import Recipe, Rejection, ShardMaker
from convert.plan import ShardTask
from shards.errors import CorruptShardError
from shards.index.samples import SAMPLES
from shards.index.write import write_indexes
from shards.manifest import MANIFEST, Manifest
from shards.storage import REJECTS, WORK, write_if_changed
from shards.verify import Finding, verify_output
from shards.verify.finding import FIX_OTHERS


@dataclass(slots=True)
class Outcome:
    """The result of a job.

    Attributes:
        manifests: of every finished split, in the order of the config.
        unfinished: `<source>/<split>` of every other split.
        refused: plans of sources whose annotations must not be read.
        failed: tasks that hit a bug of this program, or lost their machine.
        written: number of shards converted by this run; the others existed before.
        damaged: files of the output that do not have the content that was written.
    """

    manifests: list[Manifest] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    refused: list[SourcePlan] = field(default_factory=list)
    failed: list[Failed[ShardTask]] = field(default_factory=list)
    written: int = 0
    damaged: list[Finding] = field(default_factory=list)


def convert(job: Job, executor: Executor, display: Display) -> Outcome:
    """Convert; an interrupted job resumes where it stopped.

    Raises:
        SourceLayoutError: before any shard is written, naming every source whose files do not
            have the published layout.
        ConfigError: before any shard is written, if the output holds shards of another plan.
    """
    plans = prepare(job, executor, display)
    outcome = Outcome(refused=[plan for plan in plans if plan.refused])
    for plan in plans:
        _announce(job, plan, display)
    make_shard = ShardMaker(
        recipes={name: _recipe(job.config.sources[name]) for name in job.sources},
        indexes=job.config.index_formats(),
        root=job.root,
        out=job.out,
    )
    for result in executor.execute(make_shard, _tasks(job, plans, display)):
        if isinstance(result, Failed):
            outcome.failed.append(result)
            display.log(f"{result.task.shard} FAILED: {result.error.strip().splitlines()[-1]}")
        else:
            outcome.written += 1
            tally = result.result.tally
            display.add(result.task.source, tally.items, tally.bytes_in)
    for plan in plans:
        _finish(job, plan, outcome)
    try:
        write_indexes(job.out, job.config.index_formats(), shards=False)
    except CorruptShardError as error:
        problem = f"index files could not be written: {error}"
        outcome.damaged.append(Finding(".", problem, FIX_OTHERS))
    if not outcome.failed:
        if (job.out / WORK).exists():
            rmtree(job.out / WORK)
        outcome.damaged += verify_output(job.out, "records")
    return outcome


def _recipe(entry: SourceConfig) -> Recipe:
    return Recipe(entry.source, entry.options.image, entry.options.filters)


def _announce(job: Job, plan: SourcePlan, display: Display) -> None:
    tasks = read_tasks(job.out, plan.source) if plan.pending else []
    if tasks:
        display.expect(plan.source, len(tasks), sum(task.count for task in tasks))


def _tasks(job: Job, plans: Iterable[SourcePlan], display: Display) -> Iterator[ShardTask]:
    for plan in plans:
        for split, split_plan in plan.splits.items():
            if split_plan.pending or split_plan.foreign:
                # They describe shards that are about to change.
                for name in (MANIFEST, SAMPLES):
                    (job.out / plan.source / split / name).unlink(missing_ok=True)
        if plan.pending:
            display.start(plan.source)
            yield from read_tasks(job.out, plan.source)


def _finish(job: Job, plan: SourcePlan, outcome: Outcome) -> None:
    folder = job.out / plan.source
    if plan.refused:
        row = Rejection(plan.source, "", "", "", plan.kind, plan.refused)
        write_if_changed(folder / REJECTS, msgspec.json.encode(row) + b"\n")
        return
    (folder / REJECTS).unlink(missing_ok=True)
    for split, split_plan in plan.splits.items():
        manifest = finish_split(
            folder / split,
            job.config.sources[plan.source],
            plan.source,
            split,
            split_plan,
            indexes=job.config.indexes,
        )
        if manifest is None:
            outcome.unfinished.append(f"{plan.source}/{split}")
        else:
            outcome.manifests.append(manifest)
