"""Missing and unexpected files of an output, and index files against our own index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shards.errors import CorruptShardError
from shards.index import IndexFormat, Listing, WriteFile
from shards.index.registry import INDEX_FORMATS
from shards.index.write import index_files
from shards.manifest import MANIFEST, Manifest
from shards.storage import EVAL_PHOTOS, REJECTS
from shards.verify.damage import first_difference
from shards.verify.finding import FIX_OTHERS, MOVE_FILE, Finding, rewrite_index


@dataclass(frozen=True, slots=True)
class OutputSplits:
    """The splits of an output, by folder.

    Attributes:
        manifests: of the splits whose manifest matches its own checksum.
        listings: of the splits whose files all match their manifest.
        broken: folders of the other splits.
    """

    manifests: Mapping[Path, Manifest]
    listings: Sequence[Listing]
    broken: frozenset[Path]


def check_files(out: Path, splits: OutputSplits) -> Iterator[Finding]:
    """Missing, different and unexpected files.

    Files that depend on the rows of a broken split are not checked.
    """
    expected = set[Path]()
    for folder, manifest in splits.manifests.items():
        names = [MANIFEST, *manifest.files]
        for info in manifest.shards:
            names += [f"{info.name}.tar", f"{info.name}.json", *info.files]
        expected |= {folder / name for name in names}
    for format_ in INDEX_FORMATS.values():
        existing = {path for pattern in format_.patterns for path in out.glob(pattern)}
        if splits.broken:
            expected |= existing
        if existing or any(format_.name in m.indexes for m in splits.manifests.values()):
            yield from _check_format(out, format_, splits, existing, expected)
    unreadable = splits.broken - splits.manifests.keys()
    for path in sorted(out.rglob("*")):
        known = path in expected or not unreadable.isdisjoint(path.parents)
        if path.is_file() and not (known or _is_of_job(path.relative_to(out))):
            problem = "unexpected file, not written by convert"
            yield Finding(str(path.relative_to(out)), problem, MOVE_FILE)


def _is_of_job(path: Path) -> bool:
    """Whether a file that no manifest lists may be there; the path is relative to the output."""
    match path.parts:
        case (name,) if name.startswith(EVAL_PHOTOS):
            return True
        case (_, name) if name == REJECTS:
            return True
    # Files of a running job, leftovers of a killed one, files of a desktop.
    return any(part.startswith(".") for part in path.parts)


def _check_format(
    out: Path,
    format_: IndexFormat,
    splits: OutputSplits,
    existing: set[Path],
    expected: set[Path],
) -> Iterator[Finding]:
    """Compare the files of a format with what it would write now; adds to the expected files."""
    sources: dict[str, dict[str, Listing]] = {}
    for listing in splits.listings:
        sources.setdefault(listing.manifest.source, {})[listing.manifest.split] = listing
    affected = {above for folder in splits.broken for above in folder.parents}
    try:
        for folder, files in index_files(out, format_, sources, shards=True):
            if folder not in affected:
                expected |= {folder / name for name in files}
                for name, content in files.items():
                    yield from _check_index_file(out, folder / name, content, format_.name)
    except CorruptShardError as error:
        expected |= existing
        yield Finding(".", f"cannot check the {format_.name} index: {error}", FIX_OTHERS)


def _check_index_file(
    out: Path, path: Path, content: bytes | WriteFile, format_: str
) -> Iterator[Finding]:
    name, remedy = str(path.relative_to(out)), rewrite_index(out, format_)
    if not path.is_file():
        yield Finding(name, "is missing", remedy)
        return
    try:
        offset = first_difference(path, content)
    except CorruptShardError as error:
        yield Finding(name, f"cannot be checked: {error}", FIX_OTHERS)
        return
    if offset is not None:
        problem = f"is not the {format_} index of these shards"
        yield Finding(name, problem, remedy, offset)
