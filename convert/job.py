"""The straight line: scan and plan, make the shards, fold them into manifests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import msgspec

from convert.config import Config, Entry
from convert.errors import ConfigError, SourceLayoutError
from convert.execute import Executor, Failed
from convert.files import DataRoot
from convert.finish import finish_split
from convert.leaks import EvalLister
from convert.plan import ShardTask
from convert.progress import Display
from convert.report import describe_plan
from convert.scan import Planner, SourcePlan, read_tasks
from convert.spool import WORK
from convert.task import Recipe, Rejection, ShardMaker
from shards.errors import CorruptShardError
from shards.index.samples import SAMPLES
from shards.index.write import write_indexes
from shards.manifest import MANIFEST, Manifest
from shards.store import write_if_changed
from shards.verify import Finding, verify

REFUSED = "rejects.jsonl"
"""In a source's folder: the row of an annotation file that must not be read."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to convert, and how much of it.

    Attributes:
        sources: names of the config's entries.
        splits: only these; None for all.
        limit: photos per split; None for all.
        replace: whether shards of another plan may be overwritten and removed.
        retry_rejected: make shards again of whose items some were rejected.
        exclude_eval: leave photos out of train that some source evaluates on.
    """

    config: Config
    root: DataRoot
    out: Path
    sources: tuple[str, ...]
    splits: frozenset[str] | None = None
    limit: int | None = None
    replace: bool = False
    retry_rejected: bool = False
    exclude_eval: bool = False


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
    _list_eval_photos(job, executor, display)
    plans = _plan(job, executor, display)
    _expect_room(job, plans)
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
        outcome.damaged.append(Finding("", str(error)))
    if not outcome.failed:
        if (job.out / WORK).exists():
            rmtree(job.out / WORK)
        outcome.damaged += verify(job.out, "records")
    return outcome


def _recipe(entry: Entry) -> Recipe:
    return Recipe(entry.source, entry.handling.image, entry.handling.filters)


def _list_eval_photos(job: Job, executor: Executor, display: Display) -> None:
    """List what is evaluated on, for every collection that is to be converted."""
    found = (job.config.sources[name].handling.collection for name in job.sources)
    collections = [collection for collection in dict.fromkeys(found) if collection]
    for result in executor.execute(EvalLister(job.config, job.root, job.out), collections):
        if isinstance(result, Failed):
            raise SourceLayoutError(f"{result.task}: listing it failed\n{result.error}")
        for name, why in result.result.unread.items():
            display.say(f"not compared with train splits: {name}: {why}")


def _plan(job: Job, executor: Executor, display: Display) -> list[SourcePlan]:
    """Scan every source, in parallel; in the order of the config."""
    planner = Planner(
        job.config,
        job.root,
        job.out,
        job.splits,
        job.limit,
        retry_rejected=job.retry_rejected,
        exclude_eval=job.exclude_eval,
    )
    plans: dict[str, SourcePlan] = {}
    for result in executor.execute(planner, job.sources):
        if isinstance(result, Failed):
            raise SourceLayoutError(f"{result.task}: scanning it failed\n{result.error}")
        plans[result.task] = result.result
        for line in describe_plan(result.result):
            display.say(line)
    broken = [f"{plan.source}: {plan.refused}" for plan in plans.values() if plan.broken]
    if broken:
        raise SourceLayoutError("\n".join(sorted(broken)))
    return [plans[name] for name in job.sources]


def _expect_room(job: Job, plans: Iterable[SourcePlan]) -> None:
    foreign = [
        f"{plan.source}/{split} ({part.foreign} shards)"
        for plan in plans
        for split, part in plan.splits.items()
        if part.foreign
    ]
    if foreign and not job.replace:
        raise ConfigError(
            f"{job.out} holds shards made by another plan: {', '.join(foreign)}. The config, "
            f"--limit, the annotations or the program's version changed since. Choose another "
            f"--out to keep them, or say --replace to make them anew"
        )


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
            folder / split, job.config.sources[plan.source], plan.source, split, part
        )
        if manifest is None:
            outcome.unfinished.append(f"{plan.source}/{split}")
        else:
            outcome.manifests.append(manifest)
