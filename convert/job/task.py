"""Make one shard: read its items, transform them, write it. Runs in a worker; knows no Ray."""

import ctypes
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from convert.errors import ImageMissingError, LabelMapError, RecordError
from convert.image.policy import ImagePolicy
from convert.job.prefetch import ahead
from convert.job.scan import read_items
from convert.plan import ShardTask
from convert.record import Item, Record
from convert.sample.filters import KEEP_ALL, FilteredOut, Filters
from convert.sample.transform import transform
from convert.sources.files import DataRoot
from convert.sources.source import Source
from shards.index import IndexFormat
from shards.manifest import ShardInfo, Tally
from shards.sample import Sample
from shards.writer import ShardWriter

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt` (malloc.h)."""
_KEPT = 1 << 30
"""Bytes of free memory at the end of the heap above which they are given back after all."""


def keep_memory() -> bool:
    """Have this process keep what it frees; whether its C library can be told so.

    It then holds as much as its largest photo needed, until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _KEPT))


_FILTER = "filter "
_READERS = 4
"""Threads of a worker that wait for files while it computes."""
_AHEAD = 64_000_000
"""Bytes of files read and not yet worked on."""


class Rejection(msgspec.Struct, frozen=True):
    """A row of the quarantine: an item that did not become a sample, and why.

    Attributes:
        error: its kind; `filter <name>` where the config leaves the item out.
    """

    source: str
    split: str
    item: str
    file: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Converted:
    """An item that did, what was normalised in it, and the bytes it was made from."""

    sample: Sample
    notes: tuple[str, ...]
    bytes_in: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """A source, and how its records become samples."""

    source: Source
    policy: ImagePolicy
    filters: Filters = KEEP_ALL


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """A picklable function from a task to its shard."""

    recipes: Mapping[str, Recipe]
    indexes: tuple[IndexFormat, ...]
    root: DataRoot
    out: Path

    def __call__(self, task: ShardTask) -> ShardInfo:
        """Make the shard and its quarantine file in one transaction."""
        keep_memory()
        rejections: list[Rejection] = []
        notes: Counter[str] = Counter()
        bytes_in = 0
        with ShardWriter(self.out / task.folder, task.shard, task.number) as shard:
            for result in self._convert(task, read_items(self.out, task)):
                if isinstance(result, Rejection):
                    rejections.append(result)
                else:
                    shard.add(result.sample)
                    notes.update(result.notes)
                    bytes_in += result.bytes_in
            kinds = Counter(row.error for row in rejections)
            left_out = {k.removeprefix(_FILTER): n for k, n in kinds.items() if _FILTER in k}
            lost = {kind: n for kind, n in kinds.items() if _FILTER not in kind}
            rows = msgspec.json.Encoder().encode_lines(rejections)
            return shard.commit(
                task=task.digest,
                tally=Tally(task.count, _sorted(lost), _sorted(notes), bytes_in, _sorted(left_out)),
                indexes=self.indexes,
                beside={f"{task.shard}.rejects.jsonl": rows} if rejections else {},
            )

    def _convert(self, task: ShardTask, items: Sequence[Item]) -> Iterator[Converted | Rejection]:
        recipe = self.recipes[task.source]
        with recipe.source.open(self.root) as record_of:
            read = partial(_read, self.root, recipe.policy.max_bytes)
            described = (_describe(record_of, item) for item in items)
            for found in ahead(read, described, threads=_READERS, weigh=_weigh, budget=_AHEAD):
                file = found.record.file if found.record else ""
                try:
                    yield _transform(f"{task.source}-{found.item.id}", found, recipe)
                except FilteredOut as out:
                    kind, why = f"{_FILTER}{out.filter}", str(out)
                    yield Rejection(task.source, task.split, found.item.id, file, kind, why)
                except RecordError as error:
                    kind, why = type(error).__name__, str(error)
                    yield Rejection(task.source, task.split, found.item.id, file, kind, why)


@dataclass(frozen=True, slots=True)
class _Found:
    """An item with what was read for it, or why that could not be."""

    item: Item
    record: Record | None = None
    photo: bytes = b""
    labels: bytes | None = None
    error: RecordError | None = None


def _describe(record_of: Callable[[Item], Record], item: Item) -> _Found:
    try:
        return _Found(item, record_of(item))
    except RecordError as error:
        return _Found(item, error=error)


def _read(root: DataRoot, max_bytes: int, found: _Found) -> _Found:
    """With the contents of the files. Runs in a thread; changes nothing."""
    record = found.record
    if record is None:
        return found
    try:
        photo = root.read_first(record.photo, max_bytes=max_bytes)
        if photo is None:
            raise ImageMissingError(f"no such file; looked for {', '.join(record.photo)}")
        labels = None
        if record.labels is not None:
            labels = root.read_first(record.labels.paths, max_bytes=max_bytes)
            if labels is None:
                paths = ", ".join(record.labels.paths)
                raise LabelMapError(f"no label map; looked for {paths}")
    except RecordError as error:
        return replace(found, error=error)
    return replace(found, photo=photo[1], labels=labels[1] if labels else None)


def _weigh(found: _Found) -> int:
    return len(found.photo) + len(found.labels or b"")


def _transform(key: str, found: _Found, recipe: Recipe) -> Converted:
    if found.error is not None or found.record is None:
        raise found.error or AssertionError(found.item)
    sample, notes = transform(
        key, found.record, found.photo, found.labels, recipe.policy, filters=recipe.filters
    )
    return Converted(sample, notes, _weigh(found))


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
