"""Write the index files of finished splits, at the end of a job or afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shards.checksum import hash_file
from shards.classes import read_classes
from shards.errors import CorruptShardError
from shards.index import IndexFormat, LargeFiles, Listing, Writer
from shards.index.samples import SAMPLES, read_rows, write_merged
from shards.manifest import Manifest, ShardInfo, read_manifest
from shards.storage import publish_file, temporary_name, write_if_changed

Sources = Mapping[str, Mapping[str, Listing]]
"""Source -> split -> listing."""


def merge_rows(folder: Path, shards: Sequence[ShardInfo]) -> None:
    """Make `samples.arrow` of the shards' own files."""
    folder.mkdir(parents=True, exist_ok=True)  # a split without a photo has no folder yet
    temporary = temporary_name(folder / SAMPLES)
    try:
        write_merged([folder / f"{info.name}.arrow" for info in shards], temporary)
        publish_file(temporary, folder / SAMPLES)
    finally:
        temporary.unlink(missing_ok=True)


def open_listing(folder: Path, manifest: Manifest | None = None) -> Listing:
    """A split with its rows.

    Raises:
        CorruptShardError: if a file is missing or does not fit the others.
    """
    manifest = manifest or read_manifest(folder)
    rows = read_rows(folder / SAMPLES)
    if rows.num_rows != manifest.samples:
        raise CorruptShardError(
            f"{folder / SAMPLES}: {rows.num_rows} rows, the manifest has {manifest.samples} samples"
        )
    classes = {info.id: info.name for info in read_classes(folder)}
    return Listing(folder, manifest, rows, classes)


def find_listings(out: Path) -> dict[str, dict[str, Listing]]:
    """Every finished split below a folder: source -> split -> listing, in alphabetical order."""
    found: dict[str, dict[str, Listing]] = {}
    for path in sorted(out.glob("*/*/manifest.json")):
        listing = open_listing(path.parent)
        found.setdefault(listing.manifest.source, {})[listing.manifest.split] = listing
    return found


def write_indexes(out: Path, formats: Sequence[IndexFormat], *, shards: bool) -> int:
    """Write all files of some formats, for everything that is finished; how many were changed.

    Args:
        out: of the job.
        formats: which.
        shards: also the files beside each shard, which a job has written with the shard.
    """
    sources = find_listings(out)
    written = 0
    for format_ in formats:
        for folder, files in index_files(out, format_, sources, shards=shards):
            for name, content in files.items():
                written += write_content(folder / name, content)
    return written


def index_files(
    out: Path, format_: IndexFormat, sources: Sources, *, shards: bool
) -> Iterator[tuple[Path, LargeFiles]]:
    """(folder, files) of everything that one format wants."""
    for source, splits in sources.items():
        for listing in splits.values():
            for info, entries in listing.shards() if shards else ():
                yield listing.folder, format_.shard_files(info.name, entries)
            yield listing.folder, format_.split_files(listing)
        yield out / source, format_.source_files(splits)
    yield out, format_.output_files(sources)


def write_content(path: Path, content: bytes | Writer) -> bool:
    """Write one file of a format, whole or not at all, unless it already says so; True if written.

    Raises:
        CorruptShardError: if the shards are such that the format has no file for them.
    """
    if isinstance(content, bytes):
        return write_if_changed(path, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        temporary.unlink(missing_ok=True)
        content(temporary)
        if path.is_file() and hash_file(path) == hash_file(temporary):
            return False
        publish_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return True
