"""Before any work: what a job has to do, and whether it may."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convert.config.config import Config
from convert.engine.execute import Executor, Failed
from convert.errors import ConfigError, SourceLayoutError
from convert.job.overlap import EvalLister
from convert.job.progress import Display
from convert.job.report import describe_plan
from convert.job.scan import Planner, SourcePlan
from convert.sources.files import DataRoot


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


def prepare(job: Job, executor: Executor, display: Display) -> list[SourcePlan]:
    """Scan every source, in parallel; the plans, in the order of the config.

    Raises:
        SourceLayoutError: naming every source whose files are not right.
        ConfigError: if shards of another plan are in the way.
    """
    _list_eval_photos(job, executor, display)
    plans = _plan(job, executor, display)
    _expect_room(job, plans)
    return plans


def _list_eval_photos(job: Job, executor: Executor, display: Display) -> None:
    """List what is evaluated on, for every collection that is to be converted."""
    found = (job.config.sources[name].options.collection for name in job.sources)
    collections = [collection for collection in dict.fromkeys(found) if collection]
    for result in executor.execute(EvalLister(job.config, job.root, job.out), collections):
        if isinstance(result, Failed):
            raise SourceLayoutError(f"{result.task}: listing it failed\n{result.error}")
        for name, why in result.result.unread.items():
            display.say(f"not compared with train splits: {name}: {why}")


def _plan(job: Job, executor: Executor, display: Display) -> list[SourcePlan]:
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
