"""Make one shard: read its items, transform them, write it. Runs in a worker; knows no Ray."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from convert.errors import ImageMissingError, LabelMapError, RecordError
from convert.files import DataRoot
from convert.filters import KEEP_ALL, Filters, LeftOut
from convert.plan import ShardTask
from convert.policy import ImagePolicy
from convert.record import Record
from convert.source import Item, Source
from convert.transform import transform
from shards.errors import CorruptShardError
from shards.index import IndexFormat
from shards.manifest import ShardInfo, Tally
from shards.sample import Sample
from shards.write import ShardWriter

_FILTER = "filter "
WORK = ".work"
"""Folder in the output for what a running job needs; gone when the job is done."""


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
        rejections: list[Rejection] = []
        notes: Counter[str] = Counter()
        bytes_in = 0
        with ShardWriter(self.out / task.folder, task.shard) as shard:
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
            for item in items:
                file = ""
                try:
                    record = record_of(item)
                    file = record.file
                    yield self._read_and_transform(f"{task.source}-{item.id}", record, recipe)
                except (RecordError, LeftOut) as error:
                    kind = type(error).__name__
                    if isinstance(error, LeftOut):
                        kind = f"{_FILTER}{error.filter}"
                    yield Rejection(task.source, task.split, item.id, file, kind, str(error))

    def _read_and_transform(self, key: str, record: Record, recipe: Recipe) -> Converted:
        limit = recipe.policy.max_bytes
        photo = self.root.read_first(record.photo, max_bytes=limit)
        if photo is None:
            raise ImageMissingError(f"no such file; looked for {', '.join(record.photo)}")
        labels = None
        if record.labels is not None:
            labels = self.root.read_first(record.labels.places, max_bytes=limit)
            if labels is None:
                places = ", ".join(record.labels.places)
                raise LabelMapError(f"no label map; looked for {places}")
        content = labels[1] if labels else None
        sample, notes = transform(
            key, record, photo[1], content, recipe.policy, filters=recipe.filters
        )
        return Converted(sample, notes, len(photo[1]) + len(content or b""))


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


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
