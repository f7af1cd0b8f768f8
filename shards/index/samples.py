"""Our own index: an Arrow file with a row for each sample, to be memory-mapped.

Format: Arrow IPC (arrow.apache.org/docs/format/Columnar.html), not compressed, so that one of ten
million rows is read without the others. `<shard>.arrow` is written with its shard; `samples.arrow`
beside the manifest has the rows of all shards in order.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from shards.errors import CorruptShardError
from shards.layout import ANNOTATIONS, LABELS
from shards.sample import Sample
from shards.tar import Entry, Member

SAMPLES = "samples.arrow"
_BATCH = 65_536
"""Rows of a record batch of `samples.arrow`: small to copy, and not many batches for 10 million."""

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.uint32()),  # index of the shard in its split
        ("offset", pa.uint64()),  # of the sample's first header
        ("size", pa.uint32()),  # of all its blocks, up to the end of the last one
        ("checksum", pa.uint64()),  # xxh3 of these bytes
        ("image", pa.string()),  # extension of the image
        ("image_offset", pa.uint64()),  # of the content, in the tar
        ("image_size", pa.uint32()),
        ("labels_offset", pa.uint64()),
        ("labels_size", pa.uint32()),  # 0 where there is no label map
        ("annotations_offset", pa.uint64()),
        ("annotations_size", pa.uint32()),
        ("height", pa.uint16()),
        ("width", pa.uint16()),
        ("original_height", pa.uint32()),
        ("original_width", pa.uint32()),
        ("file", pa.string()),
        ("regions", pa.uint32()),
        ("masks", pa.uint32()),
        ("boxes", pa.uint32()),
        ("phrases", pa.uint32()),
        ("captions", pa.uint32()),
        ("conversations", pa.uint32()),
        ("classes", pa.list_(pa.string())),  # categories of the regions, without duplicates
        ("label_classes", pa.list_(pa.uint8())),  # class ids in the label map, without 255
    ]
)


class Rows:
    """The rows of a shard that is being written."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._rows: list[dict[str, object]] = []

    def add(self, sample: Sample, entry: Entry) -> None:
        """Append the row of a sample, in stored order."""
        positions: dict[str, tuple[int, int]] = {
            name: (m.offset, m.size) for name, m in zip(_roles(entry), entry.members, strict=True)
        }
        labels = positions.get("labels", (0, 0))
        regions = sample.regions
        self._rows.append(
            {
                "key": sample.key,
                "shard": self._shard,
                "offset": entry.offset,
                "size": entry.size,
                "checksum": entry.checksum,
                "image": sample.image.extension,
                "image_offset": positions["image"][0],
                "image_size": positions["image"][1],
                "labels_offset": labels[0],
                "labels_size": labels[1],
                "annotations_offset": positions["annotations"][0],
                "annotations_size": positions["annotations"][1],
                "height": sample.image.size.height,
                "width": sample.image.size.width,
                "original_height": sample.original_size.height,
                "original_width": sample.original_size.width,
                "file": sample.file,
                "regions": len(regions),
                "masks": sum(region.mask is not None for region in regions),
                "boxes": sum(region.box is not None for region in regions),
                "phrases": sum(len(region.phrases) for region in regions),
                "captions": len(sample.captions),
                "conversations": len(sample.conversations),
                "classes": sorted({region.category for region in regions} - {""}),
                "label_classes": list(sample.labels.classes) if sample.labels else [],
            }
        )

    def table(self) -> pa.Table:
        """The rows as a table."""
        return pa.Table.from_pylist(self._rows, SCHEMA)

    def encode(self) -> bytes:
        """The rows as the content of `<shard>.arrow`."""
        return encode_table(self.table())


def _roles(entry: Entry) -> Iterator[str]:
    roles = {LABELS: "labels", ANNOTATIONS: "annotations"}
    for member in entry.members:
        yield roles.get(member.name[len(entry.key) + 1 :], "image")


def encode_table(table: pa.Table) -> bytes:
    """The content of an Arrow file; the same rows give the same bytes."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_file(out, SCHEMA) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=_BATCH)
    content: bytes = out.getvalue().to_pybytes()
    return content


def read_rows(path: Path) -> pa.Table:
    """The rows of a file, memory-mapped; unknown columns are left out.

    Raises:
        CorruptShardError: if it is missing, not an Arrow file, or lacks a column.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except FileNotFoundError as error:
        raise CorruptShardError(
            f"{path}: no such file; `python -m shards.verify` says how to restore it"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise CorruptShardError(f"{path}: not an Arrow file: {error}") from error
    missing = [field.name for field in SCHEMA if field not in list(table.schema)]
    if missing:
        raise CorruptShardError(
            f"{path}: the columns {', '.join(missing)} are missing or of another type"
        )
    return table.select(SCHEMA.names)


def write_merged(paths: Sequence[Path], target: Path) -> None:
    """Write all rows of a split's shards to one file; one shard is in memory at a time.

    Args:
        paths: of the shards' files, in order.
        target: written in place, so use a temporary name.
    """
    with pa.OSFile(str(target), "wb") as stream, pa.ipc.new_file(stream, SCHEMA) as writer:
        for batch in _batches(paths):
            writer.write_table(batch, max_chunksize=_BATCH)


def _batches(paths: Iterable[Path]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    for path in paths:
        pending.append(read_rows(path))
        if sum(table.num_rows for table in pending) >= _BATCH:
            rows = pa.concat_tables(pending).combine_chunks()
            yield rows.slice(0, _BATCH)
            pending = [rows.slice(_BATCH)]
    if pending:
        yield pa.concat_tables(pending).combine_chunks()


def entries_of(table: pa.Table) -> Iterator[Entry]:
    """The positions of the samples, as the writer recorded them."""
    columns = [
        "key", "offset", "size", "checksum", "image", "image_offset", "image_size",
        "labels_offset", "labels_size", "annotations_offset", "annotations_size",
    ]  # fmt: skip
    for batch in table.select(columns).to_batches(_BATCH):
        for row in batch.to_pylist():
            key = row["key"]
            members = [Member(f"{key}.{row['image']}", row["image_offset"], row["image_size"])]
            if row["labels_size"]:
                members.append(Member(f"{key}.{LABELS}", row["labels_offset"], row["labels_size"]))
            annotations = f"{key}.{ANNOTATIONS}"
            members.append(Member(annotations, row["annotations_offset"], row["annotations_size"]))
            yield Entry(key, row["offset"], row["size"], row["checksum"], tuple(members))
