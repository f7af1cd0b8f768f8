"""Scan one source, plan its shards, spool the items of those still to be made. Knows no Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from convert.config.config import Config
from convert.errors import RecordError, SourceLayoutError
from convert.image import transcode
from convert.job.overlap import TRAIN, find_overlap, leave_evaluated, read_eval_photos
from convert.plan import (
    ShardTask,
    expect_splits,
    expect_unique,
    fingerprint,
    plan_digest,
    plan_split,
    shard_name,
)
from convert.record import Item
from convert.sample.transform import TRANSFORM_VERSION
from convert.sources.files import DataRoot
from convert.sources.source import ready_splits
from shards.errors import CorruptShardError
from shards.manifest import FORMAT_VERSION, NO_OVERLAP, EvalOverlap, read_info

WORK = ".work"
"""Folder in the output for what a running job needs; gone when the job is done."""


def items_path(out: Path, task: ShardTask) -> Path:
    """Where a task finds its items."""
    return out / WORK / task.folder / f"{task.shard}.items"


def write_items(path: Path, items: Sequence[Item]) -> None:
    """Spool a task's items; `read_items` notices a file that is cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(items))


def read_items(out: Path, task: ShardTask) -> list[Item]:
    """The items of a task.

    Raises:
        CorruptShardError: if the spooled file is not whole.
    """
    path = items_path(out, task)
    try:
        items = msgspec.msgpack.decode(path.read_bytes(), type=list[Item])
    except msgspec.DecodeError as error:
        raise CorruptShardError(f"{path}: {error}; run again to plan anew") from error
    if len(items) != task.count:
        raise CorruptShardError(f"{path}: {len(items)} items, planned were {task.count}")
    return items


class SplitPlan(msgspec.Struct, frozen=True):
    """What is to become of one split.

    Attributes:
        foreign: shards on disk that this plan would replace or leave over.
        evaluated: photos of a train split that are evaluated on, too.
    """

    items: int
    shards: int
    pending: int
    foreign: int
    digest: str
    evaluated: EvalOverlap = NO_OVERLAP


class SourcePlan(msgspec.Struct, frozen=True):
    """What is to become of one source; small, as it travels between processes.

    Attributes:
        refused: why nothing of it can be converted, and the kind of that error; "" where it can.
        broken: the files are not what they should be: the run must not begin.
    """

    source: str
    splits: Mapping[str, SplitPlan] = {}
    refused: str = ""
    kind: str = ""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Planner:
    """A picklable function from a source's name to its plan.

    Attributes:
        splits: only these; None for all.
        limit: items per split; None for all.
        retry_rejected: make shards again of whose items some were rejected.
        exclude_eval: leave photos out of train that some source evaluates on.
    """

    config: Config
    root: DataRoot
    out: Path
    splits: frozenset[str] | None
    limit: int | None
    retry_rejected: bool
    exclude_eval: bool

    def __call__(self, name: str) -> SourcePlan:
        """Plan the source; its pending tasks are left in the work folder for `read_tasks`."""
        try:
            source = self.config.sources[name].source
            items = list(source.scan(self.root))
            expect_unique(name, items)
            expect_splits(name, items, source.splits)
        except SourceLayoutError as error:
            return SourcePlan(name, refused=str(error), kind=type(error).__name__, broken=True)
        except RecordError as error:
            return SourcePlan(name, refused=str(error), kind=type(error).__name__)
        by_split: dict[str, list[Item]] = {split: [] for split in self._wanted(name)}
        for item in items:
            if item.split in by_split:
                by_split[item.split].append(item)
        pending: list[ShardTask] = []
        plans = {
            split: self._plan(name, split, found, pending) for split, found in by_split.items()
        }
        if pending:
            tasks_path(self.out, name).parent.mkdir(parents=True, exist_ok=True)
            tasks_path(self.out, name).write_bytes(msgspec.msgpack.encode(pending))
        return SourcePlan(name, plans)

    def _wanted(self, name: str) -> list[str]:
        ready = ready_splits(self.config.sources[name].source, self.root)
        return [split for split in ready if self.splits is None or split in self.splits]

    def _plan(
        self, name: str, split: str, items: list[Item], pending: list[ShardTask]
    ) -> SplitPlan:
        policy = self.config.plan_policy(name, self.limit)
        seal = source_fingerprint(self.config, name)
        items, overlap = self._without_evaluated(name, split, items)
        folder = self.out / name / split
        on_disk = {path.stem: path.stat().st_size for path in folder.glob(f"{name}-{split}-*.tar")}
        tasks: list[ShardTask] = []
        begun = foreign = 0
        for task, part in plan_split(name, split, items, policy, seal):
            tasks.append(task)
            info = read_info(folder / f"{task.shard}.json")
            if info is None or info.bytes != on_disk.pop(task.shard, -1):
                again = True  # never finished, or damaged since
            else:
                foreign += info.task != task.digest
                retry = self.retry_rejected and bool(info.tally.rejected)
                again = retry or info.task != task.digest
            if again:
                write_items(items_path(self.out, task), part)
                pending.append(task)
                begun += 1
        return SplitPlan(
            items=sum(task.count for task in tasks),
            shards=len(tasks),
            pending=begun,
            foreign=foreign + len(on_disk.keys() - {task.shard for task in tasks}),
            digest=plan_digest(tasks),
            evaluated=overlap,
        )

    def _without_evaluated(
        self, name: str, split: str, items: list[Item]
    ) -> tuple[list[Item], EvalOverlap]:
        if split != TRAIN:
            return items, NO_OVERLAP
        evaluated = read_eval_photos(self.out, self.config.sources[name].handling.collection)
        overlap = find_overlap(items, evaluated, excluded=self.exclude_eval)
        return leave_evaluated(items, evaluated) if self.exclude_eval else items, overlap


def source_fingerprint(config: Config, name: str) -> bytes:
    """Of everything beside the items that decides the bytes of a source's shards."""
    return fingerprint(
        FORMAT_VERSION,
        TRANSFORM_VERSION,
        transcode.COMPILED,
        config.sources[name].handling.image,
        sorted(config.indexes),
        name,
        config.sources[name].handling.filters,
        type(config.sources[name].source).__name__,
        config.sources[name].source,
    )


def tasks_path(out: Path, name: str) -> Path:
    """Where the pending tasks of a source are."""
    return out / WORK / name / "tasks"


def read_tasks(out: Path, name: str) -> list[ShardTask]:
    """The pending tasks of a source; none if it has none."""
    try:
        content = tasks_path(out, name).read_bytes()
    except FileNotFoundError:
        return []
    return msgspec.msgpack.decode(content, type=list[ShardTask])


def planned_shards(name: str, split: str, plan: SplitPlan) -> list[str]:
    """Names of a split's shards, in order."""
    return [shard_name(name, split, number) for number in range(plan.shards)]
