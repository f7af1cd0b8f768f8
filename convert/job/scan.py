"""Scan one source, plan its shards, write the items of the shards to convert. Knows no Ray."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from convert.config.config import Config
from convert.errors import RecordError, SourceLayoutError
from convert.image import transcode
from convert.job.overlap import TRAIN, drop_evaluated, find_overlap, read_eval_photos
from convert.job.task import write_items
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
from shards.manifest import FORMAT_VERSION, NO_OVERLAP, EvalOverlap, read_info
from shards.storage import WORK


class SplitPlan(msgspec.Struct, frozen=True):
    """The planned shards of one split.

    Attributes:
        pending: shards to convert; the others are done.
        foreign: shards on disk from another plan, which this plan would replace or delete.
        digest: of the plan.
        evaluated: photos of a train split that are also in evaluation splits.
    """

    items: int
    shards: int
    pending: int
    foreign: int
    digest: str
    evaluated: EvalOverlap = NO_OVERLAP


class SourcePlan(msgspec.Struct, frozen=True):
    """The planned shards of one source. Small, because it travels between processes.

    Attributes:
        refused: why nothing of it can be converted, and the class of that error; "" if it can.
        broken: whether its files do not have the published layout: then the run must not start.
    """

    source: str
    splits: Mapping[str, SplitPlan] = {}
    refused: str = ""
    kind: str = ""
    broken: bool = False

    @property
    def pending(self) -> int:
        """Shards to convert."""
        return sum(split.pending for split in self.splits.values())


@dataclass(frozen=True, slots=True)
class Planner:
    """A picklable function from the name of a source to its plan.

    Attributes:
        splits: plan only these; None for all.
        limit: items per split; None for all.
        retry_rejected: convert shards again that have rejected items.
        exclude_eval: drop photos from train that are in an evaluation split.
    """

    config: Config
    root: DataRoot
    out: Path
    splits: frozenset[str] | None
    limit: int | None
    retry_rejected: bool
    exclude_eval: bool

    def __call__(self, name: str) -> SourcePlan:
        """Plan the source, and write its pending tasks to the work folder for `read_tasks`."""
        try:
            source = self.config.sources[name].source
            items = list(source.scan(self.root))
            expect_unique(name, items)
            expect_splits(name, items, source.splits)
        except SourceLayoutError as error:
            return SourcePlan(name, refused=str(error), kind=type(error).__name__, broken=True)
        except RecordError as error:
            return SourcePlan(name, refused=str(error), kind=type(error).__name__)
        by_split: dict[str, list[Item]] = {split: [] for split in self._wanted_splits(name)}
        for item in items:
            if item.split in by_split:
                by_split[item.split].append(item)
        pending: list[ShardTask] = []
        plans = {
            split: self._plan(name, split, split_items, pending)
            for split, split_items in by_split.items()
        }
        if pending:
            tasks_path(self.out, name).parent.mkdir(parents=True, exist_ok=True)
            tasks_path(self.out, name).write_bytes(msgspec.msgpack.encode(pending))
        return SourcePlan(name, plans)

    def _wanted_splits(self, name: str) -> list[str]:
        ready = ready_splits(self.config.sources[name].source, self.root)
        return [split for split in ready if self.splits is None or split in self.splits]

    def _plan(
        self, name: str, split: str, items: list[Item], pending: list[ShardTask]
    ) -> SplitPlan:
        """The plan of a split; its shards to convert are appended to `pending`."""
        items, overlap = self._drop_evaluated(name, split, items)
        folder = self.out / name / split
        on_disk = {path.stem: path.stat().st_size for path in folder.glob(f"{name}-{split}-*.tar")}
        tasks: list[ShardTask] = []
        before = len(pending)
        foreign = 0
        for task, task_items in self._cut(name, split, items):
            tasks.append(task)
            info = read_info(folder / f"{task.shard}.json")
            if info is None or info.bytes != on_disk.pop(task.shard, -1):
                needed = True  # never finished, or damaged since
            else:
                foreign += info.task != task.digest
                retry = self.retry_rejected and bool(info.tally.rejected)
                needed = retry or info.task != task.digest
            if needed:
                write_items(self.out, task, task_items)
                pending.append(task)
        return SplitPlan(
            items=sum(task.count for task in tasks),
            shards=len(tasks),
            pending=len(pending) - before,
            foreign=foreign + len(on_disk.keys() - {task.shard for task in tasks}),
            digest=plan_digest(tasks),
            evaluated=overlap,
        )

    def _cut(
        self, name: str, split: str, items: list[Item]
    ) -> Iterator[tuple[ShardTask, Sequence[Item]]]:
        policy = self.config.plan_policy(name, self.limit)
        return plan_split(name, split, items, policy, source_fingerprint(self.config, name))

    def _drop_evaluated(
        self, name: str, split: str, items: list[Item]
    ) -> tuple[list[Item], EvalOverlap]:
        if split != TRAIN:
            return items, NO_OVERLAP
        evaluated = read_eval_photos(self.out, self.config.sources[name].options.collection)
        overlap = find_overlap(items, evaluated, excluded=self.exclude_eval)
        return drop_evaluated(items, evaluated) if self.exclude_eval else items, overlap


def source_fingerprint(config: Config, name: str) -> bytes:
    """An encoding of everything but the items that decides the bytes of a source's shards."""
    return fingerprint(
        FORMAT_VERSION,
        TRANSFORM_VERSION,
        transcode.COMPILED,
        config.sources[name].options.image,
        sorted(config.indexes),
        name,
        config.sources[name].options.filters,
        type(config.sources[name].source).__name__,
        config.sources[name].source,
    )


def tasks_path(out: Path, name: str) -> Path:
    """The file with the pending tasks of a source."""
    return out / WORK / name / "tasks"


def read_tasks(out: Path, name: str) -> list[ShardTask]:
    """The pending tasks of a source; empty if there are none."""
    try:
        content = tasks_path(out, name).read_bytes()
    except FileNotFoundError:
        return []
    return msgspec.msgpack.decode(content, type=list[ShardTask])


def planned_shards(name: str, split: str, plan: SplitPlan) -> list[str]:
    """Names of a split's shards, in order."""
    return [shard_name(name, split, number) for number in range(plan.shards)]
