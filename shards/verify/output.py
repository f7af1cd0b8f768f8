"""Checks of a whole output: each split, and what only the splits together show."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError
from shards.index import Listing
from shards.index.samples import SAMPLES
from shards.index.write import open_listing
from shards.manifest import MANIFEST, Manifest, ShardInfo, is_whole, read_manifest
from shards.pixels import require_pillow
from shards.storage import hash_file
from shards.verify.files import OutputSplits, check_files
from shards.verify.finding import REWRITE_SPLIT, Finding
from shards.verify.shard import check_record, check_shard

Depth = Literal["records", "bytes", "pixels"]
"""What to read: everything but the tars, every byte of the tars, or all pixels as well."""
_DUPLICATE = (
    "a folder was copied, or two sources give one photo the same key: move one of the folders "
    "elsewhere, or give the sources different names in the config and convert again"
)


def _no_progress(_done: int, _total: int) -> None:
    """Shows nothing."""


def verify_output(
    out: Path,
    depth: Depth = "bytes",
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = _no_progress,
) -> list[Finding]:
    """All findings about an output, in the order of its files; empty if nothing is wrong.

    Args:
        out: the folder with SOURCE/SPLIT/ below it.
        depth: what to read.
        workers: processes that read shards.
        progress: called with the number of shards read and their total.

    Raises:
        MissingExtraError: for `pixels`, if Pillow is not installed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "notes.txt").touch()
    ...     print(verify_output(Path(folder))[0].problem)
    unexpected file, not written by convert
    """
    if depth == "pixels":
        require_pillow("decoding photos and label maps", extra="view")
    manifests, findings = _read_manifests(out)
    for folder, manifest in manifests.items():
        findings += _relative_to(out, folder, check_split(folder, manifest))
    intact = {path: read for path, read in manifests.items() if is_whole(path, read)}
    listings, unreadable = _open_listings(out, intact)
    findings += [*unreadable, *find_duplicates(listings)]
    broken = frozenset(_split_folders(out)) - {listing.folder for listing in listings}
    findings += check_files(out, OutputSplits(intact, listings, broken))
    if depth != "records":
        tasks = _plan_shards(manifests, deep=depth == "pixels")
        for done, of_shard in enumerate(_check_shards(out, tasks, workers), start=1):
            findings += of_shard
            progress(done, len(tasks))
    return sorted(findings, key=lambda f: (f.file, f.offset or 0, f.problem))


def _split_folders(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("[!.]*/[!.]*") if path.is_dir())


def _read_manifests(out: Path) -> tuple[dict[Path, Manifest], list[Finding]]:
    """Folder of a split -> manifest, and findings about the ones that cannot be read."""
    manifests: dict[Path, Manifest] = {}
    findings: list[Finding] = []
    for folder in _split_folders(out):
        try:
            manifests[folder] = read_manifest(folder)
        except CorruptShardError as error:
            file = f"{folder.relative_to(out)}/{MANIFEST}"
            findings.append(Finding(file, str(error), REWRITE_SPLIT))
    return manifests, findings


def _open_listings(
    out: Path, manifests: Mapping[Path, Manifest]
) -> tuple[list[Listing], list[Finding]]:
    """The listings of splits whose files match their manifest, and findings about the others."""
    listings: list[Listing] = []
    findings: list[Finding] = []
    for folder, manifest in manifests.items():
        if any(not _is_as_written(folder, manifest, name) for name in manifest.files):
            continue  # `check_split` reports it; Arrow does not notice damage in a file
        try:
            listings.append(open_listing(folder, manifest))
        except CorruptShardError as error:
            finding = Finding(SAMPLES, str(error), REWRITE_SPLIT)
            findings += _relative_to(out, folder, [finding])
    return listings, findings


def _relative_to(out: Path, folder: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Findings about files of a split, with paths relative to the output."""
    return [
        msgspec.structs.replace(finding, file=str((folder / finding.file).relative_to(out)))
        for finding in findings
    ]


@dataclass(frozen=True, slots=True)
class ShardCheck:
    """A task: one shard to read."""

    folder: Path
    info: ShardInfo
    number: int
    deep: bool


def _plan_shards(manifests: Mapping[Path, Manifest], *, deep: bool) -> list[ShardCheck]:
    return [
        ShardCheck(folder, info, number, deep)
        for folder, manifest in manifests.items()
        for number, info in enumerate(manifest.shards)
    ]


def _check_shards(out: Path, tasks: Sequence[ShardCheck], workers: int) -> Iterator[list[Finding]]:
    check = partial(_check_one, out)
    if workers <= 1:
        yield from map(check, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(check, tasks)


def _check_one(out: Path, task: ShardCheck) -> list[Finding]:
    """The findings about one shard; runs in a process of its own."""
    findings = check_shard(task.folder, task.info, task.number, deep=task.deep)
    return _relative_to(out, task.folder, findings)


def check_split(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Check the records of a split and the files beside its tars, without reading the tars."""
    if not is_whole(folder, manifest):
        yield Finding(MANIFEST, "is not what was written: its checksum differs", REWRITE_SPLIT)
    if (manifest.source, manifest.split) != (folder.parent.name, folder.name):
        home = f"{manifest.source}/{manifest.split}"
        yield Finding(
            MANIFEST, f"belongs to {home}, not to this folder", f"move the folder to {home}"
        )
    for name in manifest.files:
        if not (folder / name).is_file():
            yield Finding(name, "is missing", REWRITE_SPLIT)
        elif not _is_as_written(folder, manifest, name):
            yield Finding(name, "is not what was written with its manifest", REWRITE_SPLIT)
    for info in manifest.shards:
        yield from check_record(folder, info)


def _is_as_written(folder: Path, manifest: Manifest, name: str) -> bool:
    path = folder / name
    return path.is_file() and hash_file(path) == manifest.files[name]


def find_duplicates(listings: Sequence[Listing]) -> Iterator[Finding]:
    """Keys that occur more than once, in one split or in several."""
    hashes: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []
    for listing in listings:
        keys = listing.rows.column("key").to_pylist()
        hashes.append(
            np.fromiter((xxh3_64_intdigest(key.encode()) for key in keys), np.uint64, len(keys))
        )
    if not hashes:
        return
    values, counts = np.unique(np.concatenate(hashes), return_counts=True)
    duplicates = values[counts > 1]
    for listing, of_listing in zip(listings, hashes, strict=True):
        for row in np.flatnonzero(np.isin(of_listing, duplicates)):
            key = listing.rows.column("key")[int(row)].as_py()
            file = f"{listing.manifest.source}/{listing.manifest.split}/{SAMPLES}"
            yield Finding(file, f"the key {key} occurs more than once in the output", _DUPLICATE)
