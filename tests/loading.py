"""Splits for the tests of loading: many small samples in any number of shards."""

import gc
import threading
import time
from pathlib import Path

from shards.index.samples import SAMPLES
from shards.index.write import merge_rows
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.manifest import MANIFEST, Tally, build_manifest, encode_json
from shards.sample import EncodedImage, Region, Sample, Size
from shards.storage import hash_file
from shards.writer import ShardWriter


def make_sample(number: int) -> Sample:
    """A sample whose content is its number; the last digit is its number of phrases."""
    size = Size(4, 4)
    phrases = tuple(f"thing {each}" for each in range(number % 10))
    return Sample(
        key=f"small-{number:06d}",
        image=EncodedImage(b"%06d" % number * 20, "jpg", size),
        original_size=size,
        file=f"{number}.jpg",
        regions=(Region(phrases=phrases, category=("cat", "dog")[number % 2]),),
    )


def write_split(folder: Path, sizes: list[int], first: int = 0, make=make_sample) -> Path:
    """A finished split of shards of these sizes; its samples are numbered from `first` on."""
    infos = []
    for number, size in enumerate(sizes):
        name = f"small-train-{number:06d}"
        with ShardWriter(folder, name, number) as writer:
            for each in range(first, first + size):
                writer.add(make(each))
            infos.append(writer.commit(task=f"{first}", tally=Tally(items=size)))
        first += size
    merge_rows(folder, infos)
    files = {SAMPLES: hash_file(folder / SAMPLES)}
    manifest = build_manifest("small", "train", f"{first}", {}, infos, files=files)
    (folder / MANIFEST).write_bytes(encode_json(manifest))
    return folder


def make_loader(data, batch, *, rank=0, world=1, options=None, **arguments):
    """A loader; of raw batches, unless the arguments say otherwise. `batch` is over all ranks."""
    assert batch % world == 0
    if "example" not in arguments:
        arguments.setdefault("decode", "raw")
    return Loader(
        data,
        batch // world,
        rank=rank,
        world_size=world,
        options=options or LoaderOptions(threads=0),
        **arguments,
    )


def numbers(batch) -> list[int]:
    """The numbers of the samples of a raw batch."""
    return [int(raw.key.removeprefix("small-")) for raw in batch]


def held():
    """(open files, threads, pages) of this process, after a garbage collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), pages


def held_in_the_end(files, threads):
    """`held()`, after waiting up to ten seconds until it is no more than this."""
    until = time.monotonic() + 10
    while True:
        now = held()
        if (now[0] <= files and now[1] <= threads) or time.monotonic() > until:
            return now
        time.sleep(0.05)
