"""Our own index with ten million rows: the time to open, to find rows, to filter and to write it.

`python -m bench.index [--rows N]`; the rows are generated, and like those of GranD.
"""

import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.harness.command import Claim, Section, run
from bench.harness.measure import Ways, say
from bench.harness.photos import drawn
from bench.tar import make_sample
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy
from convert.image.store import store
from shards.index.dali import shard_files
from shards.index.samples import SCHEMA, Rows, encode_table, read_rows
from shards.load.reading.query import select
from shards.tar import Entry, Member

_CHUNK = 250_000
_CLASSES = ["person", "dog", "car", "tree", "cup", "chair", "bird", "boat"]
_PER_SHARD = 5000
BOTH, CHEAPEST = "both indexes, a sample", "the cheapest photo there is: COCO's, kept"
"""An index may take a fiftieth of the time of the conversion."""


def make_rows(start: int, count: int) -> pa.Table:
    """Rows of samples of 300 kB, with random classes and counts."""
    rng = np.random.default_rng(start)
    numbers = np.arange(start, start + count)
    offsets = (numbers % _PER_SHARD) * 300_032
    lists = rng.integers(0, 4, count)
    ends = np.concatenate(([0], np.cumsum(lists))).astype(np.int32)
    classes = pa.ListArray.from_arrays(
        pa.array(ends), pa.array(np.array(_CLASSES)[rng.integers(0, 8, ends[-1])])
    )
    nothing = pa.array([[]] * count, pa.list_(pa.uint8()))
    columns: dict[str, object] = {
        "key": pa.array([f"grand_caption-sa_{number}" for number in numbers]),
        "shard": numbers // _PER_SHARD,
        "offset": offsets,
        "size": np.full(count, 300_032),
        "checksum": rng.integers(0, 2**63, count, dtype=np.uint64),
        "image": pa.array(["jpg"] * count),
        "image_offset": offsets + 512,
        "image_size": np.full(count, 280_000),
        "annotations_offset": offsets + 281_000,
        "annotations_size": np.full(count, 18_000),
        "file": pa.array([f"sa_{number}.jpg" for number in numbers]),
        "classes": classes,
        "label_classes": nothing,
    }
    zero = np.zeros(count, np.int64)
    small = {name: rng.integers(0, 60, count) for name in ("regions", "masks", "boxes")}
    sides = {name: np.full(count, 1024) for name in ("height", "width")}
    arrays = []
    for field in SCHEMA:
        value = {**columns, **small, **sides}.get(field.name, zero)
        arrays.append(pa.array(value, type=field.type) if isinstance(value, np.ndarray) else value)
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


OPEN = """
import os, sys, time
from pathlib import Path
import pyarrow.parquet as pq
from shards.index.samples import read_rows
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
start = time.perf_counter()
table = (read_rows if sys.argv[2] == "arrow" else pq.read_table)(Path(sys.argv[1]))
row = table.slice(len(table) // 2, 1).to_pylist()
seconds = time.perf_counter() - start
print(seconds, (resident() - before) / 1e6)
"""


def open_in_a_process(path: Path, kind: str) -> tuple[float, float]:
    """(seconds to open and find a row in the middle, MB more in memory)."""
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", OPEN, str(path), kind], capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def sections(typed: Namespace) -> Iterator[Section]:
    """Opening the index, each time in a new process; then queries, and the cost of writing."""
    with TemporaryDirectory() as name:
        arrow, parquet = Path(name) / "samples.arrow", Path(name) / "samples.parquet"
        _write(arrow, parquet, typed.rows)
        for path, kind in ((arrow, "arrow"), (parquet, "parquet")):
            timings = [open_in_a_process(path, kind) for _ in range(typed.rounds)]
            seconds, megabytes = np.median(timings, axis=0)
            goal = "; goals 1 s and 200 MB" if kind == "arrow" else ""
            say(
                f"{kind}: {typed.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB on disk, open "
                f"and find one {seconds:.3f} s, {megabytes:.0f} MB more in memory{goal}"
            )
        yield _queries(read_rows(arrow))
    yield _cost()


def _write(arrow: Path, parquet: Path, rows: int) -> None:
    start = time.perf_counter()
    with (
        pa.OSFile(str(arrow), "wb") as stream,
        pa.ipc.new_file(stream, SCHEMA) as one,
        pq.ParquetWriter(parquet, SCHEMA) as other,
    ):
        for first in range(0, rows, _CHUNK):
            table = make_rows(first, min(_CHUNK, rows - first))
            one.write_table(table, max_chunksize=65_536)
            other.write_table(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    say(f"wrote {rows:,} rows in {time.perf_counter() - start:.0f} s, peak {peak:.0f} MB")


def _queries(rows: pa.Table) -> Section:
    rng = np.random.default_rng(0)
    columns = [rows.column(name) for name in ("shard", "offset", "size")]

    def find() -> None:
        for number in rng.integers(0, rows.num_rows, 1000):
            for column in columns:
                column[int(number)].as_py()

    ways: Ways = {
        "find 1,000 samples by number": find,
        "masks >= 50": partial(select, rows, "masks >= 50", {}),
        "classes contains 'dog'": partial(select, rows, "classes contains 'dog'", {}),
        "both": partial(select, rows, "masks >= 50 and classes contains 'dog'", {}),
    }
    return Section(f"questions to {rows.num_rows:,} rows", ways)


def _cost() -> Section:
    """The time for the index files of a sample; converting a photo takes some milliseconds."""
    samples = [make_sample(number) for number in range(500)]
    entries = [_entry(sample.key, number) for number, sample in enumerate(samples)]

    def own() -> None:
        rows = Rows(0)
        for sample, entry in zip(samples, entries, strict=True):
            rows.add(sample, entry)
        rows.encode()

    def table() -> None:
        encode_table(encoded)

    def both() -> None:
        own()
        shard_files("bench", entries)

    photo, policy = drawn("coco_captions", 1)[0], ImagePolicy()

    def convert() -> None:
        for _ in samples:
            header = read_photo_header(photo, policy)
            store(photo, header, header.size, policy, apply_orientation=False)

    encoded = make_rows(0, 500)
    ways: Ways = {
        "our own index, a sample": own,
        "encoding alone, a sample": table,
        "DALI's index, a sample": partial(shard_files, "bench", entries),
        BOTH: both,
        CHEAPEST: convert,
    }
    return Section("what an index costs", ways, [Claim(BOTH, CHEAPEST, 50)], 500)


def _entry(key: str, number: int) -> Entry:
    names: Sequence[str] = ("jpg", "labels.png", "mp")
    members = tuple(Member(f"{key}.{name}", number * 512, 99) for name in names)
    return Entry(key, number * 512, 512, number, members)


def arguments(parser: ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--rows", type=int, default=10_000_000, help="in the index")


if __name__ == "__main__":
    run("index", sections, ("pyarrow", "numpy", "xxhash"), arguments)
