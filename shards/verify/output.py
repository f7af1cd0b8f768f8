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

from shards.errors import CorruptShardError
from shards.index import IndexFormat, Listing
from shards.index.registry import INDEX_FORMATS
from shards.index.samples import SAMPLES
from shards.index.write import Sources, index_files, open_listing
from shards.manifest import MANIFEST, Manifest, hash_file, is_whole, read_manifest
from shards.verify.finding import INDEX, Finding
from shards.verify.shard import check_record, check_shard

Depth = Literal["records", "bytes", "pixels"]
"""How far to look: at everything but the tars, at every byte of them, at every pixel as well."""
_REFUSED = "rejects.jsonl"
_EVAL_PHOTOS = "eval-photos."


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
    folders = (path for path in out.glob("[!.]*/[!.]*") if path.is_dir())
    for folder in sorted(folders):
        try:
            manifests[folder] = read_manifest(folder)
        except CorruptShardError as error:
            findings.append(Finding(f"{folder.relative_to(out)}/{MANIFEST}", str(error)))
    for folder, manifest in manifests.items():
        findings += [_below(out, folder, found) for found in check_split(folder, manifest)]
    listings: list[Listing] = []
    for folder, manifest in manifests.items():
        if not is_whole(folder, manifest) or any(
            not _is_as_written(folder, manifest, name) for name in manifest.files
        ):
            continue  # told already; and Arrow believes what a damaged file says of itself
        try:
            listings.append(open_listing(folder, manifest))
        except CorruptShardError as error:
            findings.append(_below(out, folder, Finding(SAMPLES, str(error))))
    findings += find_duplicates(listings)
    findings += list(check_files(out, listings))
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
        yield Finding(MANIFEST, "is not what was written: its checksum does not fit")
    if (manifest.source, manifest.split) != (folder.parent.name, folder.name):
        yield Finding(MANIFEST, f"is of {manifest.source}/{manifest.split}, not of its folder")
    for name in manifest.files:
        if not (folder / name).is_file():
            yield Finding(name, "is missing")
        elif not _is_as_written(folder, manifest, name):
            yield Finding(name, "is not what was written with its manifest")
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
            yield Finding(file, f"the key {key} comes more than once in the output")


def check_files(out: Path, listings: Sequence[Listing]) -> Iterator[Finding]:
    """Files that should be there and are not, and the reverse; index files against our index."""
    sources: dict[str, dict[str, Listing]] = {}
    for listing in listings:
        sources.setdefault(listing.manifest.source, {})[listing.manifest.split] = listing
    expected = set[Path]()
    for listing in listings:
        folder = listing.folder
        names = [MANIFEST, *listing.manifest.files]
        for info in listing.manifest.shards:
            names += [f"{info.name}.tar", f"{info.name}.json", *info.files]
        expected |= {folder / name for name in names}
    for format_ in INDEX_FORMATS.values():
        yield from _check_format(out, format_, sources, expected)
    for path in sorted(out.rglob("*")):
        relative = path.relative_to(out)
        ours = len(relative.parts) == 1 and relative.name.startswith(_EVAL_PHOTOS)
        refused = len(relative.parts) == 2 and relative.name == _REFUSED  # noqa: PLR2004
        # A job at work, what a killed one left for the next to sweep, a desktop's own.
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and path not in expected and not (ours or refused or hidden):
            yield Finding(str(relative), "nobody has written it here", "move it elsewhere")


def _check_format(
    out: Path, format_: IndexFormat, sources: Sources, expected: set[Path]
) -> Iterator[Finding]:
    """A format of which any file is there must have all of them, as they would be written now."""
    there = [path for pattern in format_.patterns for path in sorted(out.glob(pattern))]
    if format_.patterns and not there:
        return
    files: dict[Path, bytes] = {}
    try:
        for folder, found in index_files(out, format_, sources, shards=True):
            files |= {folder / name: content for name, content in found.items()}
    except CorruptShardError as error:
        expected.update(there)
        for path in there[:1]:  # once is enough
            yield Finding(str(path.relative_to(out)), f"cannot be compared: {error}")
        return
    if not any(path.exists() for path in files):
        return
    expected.update(files)
    remedy = f"{INDEX} {format_.name}"
    for path, content in files.items():
        name = str(path.relative_to(out))
        if not path.is_file():
            yield Finding(name, "is missing", remedy)
        elif path.read_bytes() != content:
            yield Finding(name, f"is not what {format_.name} would be for these shards", remedy)
