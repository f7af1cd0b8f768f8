"""One task: read its items, transform them, write the shard. Runs in a worker; knows no Ray."""

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
from convert.job.prefetch import prefetch
from convert.plan import ShardTask
from convert.record import Item, Record
from convert.sample.filters import KEEP_ALL, FilteredOut, Filters
from convert.sample.transform import transform
from convert.sources.files import DataRoot
from convert.sources.source import Source
from shards.errors import CorruptShardError
from shards.index import IndexFormat
from shards.manifest import ShardInfo, Tally
from shards.sample import Sample
from shards.storage import WORK, rejects_name
from shards.writer import ShardWriter


def items_path(out: Path, task: ShardTask) -> Path:
    """The file with the items of a task."""
    return out / WORK / task.folder / f"{task.shard}.items"


def write_items(out: Path, task: ShardTask, items: Sequence[Item]) -> None:
    """Write the items of a task, for the worker that gets the task."""
    path = items_path(out, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(items))


def read_items(out: Path, task: ShardTask) -> list[Item]:
    """The items of a task.

    Raises:
        CorruptShardError: if the file is cut short or has another number of items.
    """
    path = items_path(out, task)
    try:
        items = msgspec.msgpack.decode(path.read_bytes(), type=list[Item])
    except msgspec.DecodeError as error:
        raise CorruptShardError(f"{path}: {error}; run the same command again") from error
    if len(items) != task.count:
        raise CorruptShardError(
            f"{path}: {len(items)} items, expected {task.count}; run the same command again"
        )
    return items


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt` (malloc.h)."""
_MAX_FREE = 1 << 30
"""Bytes of free memory at the end of the heap above which the heap is trimmed after all."""


def keep_freed_memory() -> bool:
    """Make this process reuse the memory that it frees; whether the C library can do that.

    The process then holds as much memory as its largest photo needed, until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries lack it
    return mallopt is not None and bool(
        mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _MAX_FREE)
    )


_FILTER = "filter "
_READERS = 4
"""Threads of a worker that read files while the worker computes."""
_READ_AHEAD = 64_000_000
"""Bytes of files that are read but not yet transformed."""


class Rejection(msgspec.Struct, frozen=True):
    """A row of the quarantine file: an item that did not become a sample, and why.

    Attributes:
        error: class of the error; `filter <name>` if a filter of the config dropped the item.
    """

    source: str
    split: str
    item: str
    file: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Converted:
    """An item that became a sample, what was normalised, and the bytes that were read for it."""

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
        """Write the shard and its quarantine file in one transaction."""
        keep_freed_memory()
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
            filtered = {k.removeprefix(_FILTER): n for k, n in kinds.items() if _FILTER in k}
            rejected = {kind: n for kind, n in kinds.items() if _FILTER not in kind}
            rows = msgspec.json.Encoder().encode_lines(rejections)
            return shard.commit(
                task=task.digest,
                tally=Tally(
                    task.count, _sorted(rejected), _sorted(notes), bytes_in, _sorted(filtered)
                ),
                indexes=self.indexes,
                beside={rejects_name(task.shard): rows} if rejections else {},
            )

    def _convert(self, task: ShardTask, items: Sequence[Item]) -> Iterator[Converted | Rejection]:
        recipe = self.recipes[task.source]
        with recipe.source.open(self.root) as record_of:
            read = partial(_read, self.root, recipe.policy.max_bytes)
            inputs = (_open_item(record_of, item) for item in items)
            for loaded in prefetch(
                read, inputs, threads=_READERS, size_of=_bytes_read, budget=_READ_AHEAD
            ):
                file = loaded.record.file if loaded.record else ""
                try:
                    yield _transform(f"{task.source}-{loaded.item.id}", loaded, recipe)
                except FilteredOut as error:
                    kind, why = f"{_FILTER}{error.filter}", str(error)
                    yield Rejection(task.source, task.split, loaded.item.id, file, kind, why)
                except RecordError as error:
                    kind, why = type(error).__name__, str(error)
                    yield Rejection(task.source, task.split, loaded.item.id, file, kind, why)


@dataclass(frozen=True, slots=True)
class _LoadedItem:
    """An item with its record and the contents of its files, or the error in getting them."""

    item: Item
    record: Record | None = None
    photo: bytes = b""
    labels: bytes | None = None
    error: RecordError | None = None


def _open_item(record_of: Callable[[Item], Record], item: Item) -> _LoadedItem:
    try:
        return _LoadedItem(item, record_of(item))
    except RecordError as error:
        return _LoadedItem(item, error=error)


def _read(root: DataRoot, max_bytes: int, loaded: _LoadedItem) -> _LoadedItem:
    """The input with the contents of its files. Runs in a thread."""
    record = loaded.record
    if record is None:
        return loaded
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
        return replace(loaded, error=error)
    return replace(loaded, photo=photo[1], labels=labels[1] if labels else None)


def _bytes_read(loaded: _LoadedItem) -> int:
    return len(loaded.photo) + len(loaded.labels or b"")


def _transform(key: str, loaded: _LoadedItem, recipe: Recipe) -> Converted:
    if loaded.error is not None or loaded.record is None:
        raise loaded.error or AssertionError(loaded.item)
    sample, notes = transform(
        key, loaded.record, loaded.photo, loaded.labels, recipe.policy, filters=recipe.filters
    )
    return Converted(sample, notes, _bytes_read(loaded))


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
