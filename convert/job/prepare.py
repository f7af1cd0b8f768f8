"""The plans of a job, made and checked before any shard is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convert.config.config import Config
from convert.engine.execute import Executor, Failed
from convert.errors import ConfigError, SourceLayoutError
from convert.job.overlap import EvalPhotoLister
from convert.job.progress import Display
from convert.job.report import describe_plan
from convert.job.scan import Planner, SourcePlan
from convert.sources.files import DataRoot


@dataclass(frozen=True, slots=True)
class Job:
    """The sources to convert, and the options of the run.

    Attributes:
        sources: names of the config's entries.
        splits: convert only these; None for all.
        limit: photos per split; None for all.
        replace: whether shards of another plan may be overwritten and deleted.
        retry_rejected: convert shards again that have rejected items.
        exclude_eval: drop photos from train that are in an evaluation split.
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
    """Scan every source, in parallel, and return the plans in the order of the config.

    Raises:
        SourceLayoutError: naming every source whose files do not have the published layout.
        ConfigError: if the output holds shards of another plan.
    """
    _list_eval_photos(job, executor, display)
    plans = _plan(job, executor, display)
    _check_foreign(job, plans)
    return plans


def _list_eval_photos(job: Job, executor: Executor, display: Display) -> None:
    """List the evaluation photos of every collection that is to be converted."""
    names = (job.config.sources[name].options.collection for name in job.sources)
    collections = [collection for collection in dict.fromkeys(names) if collection]
    for result in executor.execute(EvalPhotoLister(job.config, job.root, job.out), collections):
        if isinstance(result, Failed):
            raise SourceLayoutError(
                f"{result.task}: listing its evaluation photos failed\n{result.error}"
            )
        for name, why in result.result.unread.items():
            display.log(f"evaluation photos of {name} are not counted: {why}")


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
            display.log(line)
    broken = [f"{plan.source}: {plan.refused}" for plan in plans.values() if plan.broken]
    if broken:
        raise SourceLayoutError("\n".join(sorted(broken)))
    return [plans[name] for name in job.sources]


def _check_foreign(job: Job, plans: Iterable[SourcePlan]) -> None:
    foreign = [
        f"{plan.source}/{split} ({split_plan.foreign} shards)"
        for plan in plans
        for split, split_plan in plan.splits.items()
        if split_plan.foreign
    ]
    if foreign and not job.replace:
        raise ConfigError(
            f"{job.out} holds shards of another plan: {', '.join(foreign)}. The config, "
            f"--limit, the annotations or the program's version changed since. Choose another "
            f"--out to keep them, or add --replace to overwrite them"
        )
