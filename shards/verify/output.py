"""A whole output: every split, and what only shows when all are looked at together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from shards.checksum import hash_file
from shards.errors import CorruptShardError
from shards.index import Listing
from shards.index.samples import SAMPLES
from shards.index.write import open_listing
from shards.manifest import MANIFEST, Manifest, is_whole, read_manifest
from shards.verify.files import OutputSplits, check_files
from shards.verify.finding import SPLIT, Finding
from shards.verify.shard import check_record, check_shard

Depth = Literal["records", "bytes", "pixels"]
"""How far to look: at everything but the tars, at every byte of them, at every pixel as well."""
_TWICE = (
    "a folder was copied, or two sources give one photo the same key: move one of the folders "
    "elsewhere, or name the sources apart in the config and convert again"
)


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be read."""

    folder: Path
    manifest: Manifest
    number: int
    deep: bool


def read_shard_of(out: Path, task: Task) -> list[Finding]:
    """What is wrong with one shard; picklable, for other processes."""
    info = task.manifest.shards[task.number]
    found = check_shard(task.folder, info, task.number, deep=task.deep)
    return [_below(out, task.folder, finding) for finding in found]


def _below(out: Path, folder: Path, finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, file=str((folder / finding.file).relative_to(out)))


def verify(
    out: Path,
    depth: Depth = "bytes",
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Finding]:
    """All findings about an output, in the order of its files.

    Args:
        out: the folder with SOURCE/SPLIT/ below it.
        depth: how far to look.
        workers: processes that read shards.
        progress: is told how many shards are read, and how many there are.
    """
    manifests: dict[Path, Manifest] = {}
    findings: list[Finding] = []
    folders = sorted(path for path in out.glob("[!.]*/[!.]*") if path.is_dir())
    for folder in folders:
        try:
            manifests[folder] = read_manifest(folder)
        except CorruptShardError as error:
            findings.append(Finding(f"{folder.relative_to(out)}/{MANIFEST}", str(error), SPLIT))
    for folder, manifest in manifests.items():
        findings += [_below(out, folder, found) for found in check_split(folder, manifest)]
    listings: list[Listing] = []
    whole = {folder: found for folder, found in manifests.items() if is_whole(folder, found)}
    for folder, manifest in whole.items():
        if any(not _is_as_written(folder, manifest, name) for name in manifest.files):
            continue  # told already; and Arrow believes what a damaged file says of itself
        try:
            listings.append(open_listing(folder, manifest))
        except CorruptShardError as error:
            findings.append(_below(out, folder, Finding(SAMPLES, str(error), SPLIT)))
    findings += find_duplicates(listings)
    broken = frozenset(folders) - {listing.folder for listing in listings}
    findings += check_files(out, OutputSplits(whole, listings, broken))
    if depth != "records":
        tasks = [
            Task(folder, manifest, number, deep=depth == "pixels")
            for folder, manifest in manifests.items()
            for number in range(len(manifest.shards))
        ]
        for done, found in enumerate(_read_all(out, tasks, workers), start=1):
            findings += found
            progress(done, len(tasks))
    return sorted(findings, key=lambda f: (f.file, f.offset or 0, f.problem))


def _read_all(out: Path, tasks: Sequence[Task], workers: int) -> Iterator[list[Finding]]:
    read = partial(read_shard_of, out)
    if workers <= 1:
        yield from map(read, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(read, tasks)


def check_split(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """A split's records against each other and the files beside them; reads no tar."""
    if not is_whole(folder, manifest):
        yield Finding(MANIFEST, "is not what was written: its checksum does not fit", SPLIT)
    if (manifest.source, manifest.split) != (folder.parent.name, folder.name):
        home = f"{manifest.source}/{manifest.split}"
        yield Finding(MANIFEST, f"is of {home}, not of its folder", f"move the folder to {home}")
    for name in manifest.files:
        if not (folder / name).is_file():
            yield Finding(name, "is missing", SPLIT)
        elif not _is_as_written(folder, manifest, name):
            yield Finding(name, "is not what was written with its manifest", SPLIT)
    for info in manifest.shards:
        yield from check_record(folder, info)


def _is_as_written(folder: Path, manifest: Manifest, name: str) -> bool:
    path = folder / name
    return path.is_file() and hash_file(path) == manifest.files[name]


def find_duplicates(listings: Iterable[Listing]) -> Iterator[Finding]:
    """Keys that come more than once, in one split or in two."""
    where: list[Listing] = []
    hashes: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []
    for listing in listings:
        keys = listing.rows.column("key").to_pylist()
        hashes.append(
            np.fromiter((xxh3_64_intdigest(key.encode()) for key in keys), np.uint64, len(keys))
        )
        where.append(listing)
    if not hashes:
        return
    values, counts = np.unique(np.concatenate(hashes), return_counts=True)
    twice = values[counts > 1]
    for listing, each in zip(where, hashes, strict=True):
        for row in np.flatnonzero(np.isin(each, twice)):
            key = listing.rows.column("key")[int(row)].as_py()
            file = f"{listing.manifest.source}/{listing.manifest.split}/{SAMPLES}"
            yield Finding(file, f"the key {key} comes more than once in the output", _TWICE)
