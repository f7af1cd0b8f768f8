"""Write the index files of finished splits, at the end of a job or later."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from shards.classes import read_classes
from shards.errors import CorruptShardError
from shards.index import IndexFiles, IndexFormat, Listing, Sources, WriteFile
from shards.index.samples import SAMPLES, read_rows, write_merged
from shards.manifest import MANIFEST, Manifest, ShardInfo, read_manifest
from shards.storage import hash_file, publish_file, temporary_name, write_if_changed


def merge_rows(folder: Path, shards: Sequence[ShardInfo]) -> None:
    """Write `samples.arrow` of a split from the index files of its shards."""
    folder.mkdir(parents=True, exist_ok=True)  # a split without samples has no folder yet
    temporary = temporary_name(folder / SAMPLES)
    try:
        write_merged([folder / f"{info.name}.arrow" for info in shards], temporary)
        publish_file(temporary, folder / SAMPLES)
    finally:
        temporary.unlink(missing_ok=True)


def open_listing(folder: Path, manifest: Manifest | None = None) -> Listing:
    """The listing of a finished split.

    Raises:
        CorruptShardError: if a file is missing, or contradicts another.
    """
    manifest = manifest or read_manifest(folder)
    rows = read_rows(folder / SAMPLES)
    if rows.num_rows != manifest.samples:
        raise CorruptShardError(
            f"{folder / SAMPLES}: has {rows.num_rows} rows, expected the {manifest.samples} "
            f"samples of the manifest; `python -m shards.verify` says how to restore it"
        )
    classes = {info.id: info.name for info in read_classes(folder)}
    return Listing(folder, manifest, rows, classes)


def open_listings(out: Path) -> dict[str, dict[str, Listing]]:
    """Source -> split -> listing of every finished split in an output, in alphabetical order."""
    sources: dict[str, dict[str, Listing]] = {}
    for path in sorted(out.glob(f"*/*/{MANIFEST}")):
        listing = open_listing(path.parent)
        sources.setdefault(listing.manifest.source, {})[listing.manifest.split] = listing
    return sources


def write_indexes(out: Path, formats: Sequence[IndexFormat], *, shards: bool) -> int:
    """Write all files of these formats for all finished splits; the number of changed files.

    Args:
        out: with SOURCE/SPLIT/ below it.
        formats: whose files to write.
        shards: whether to write the files beside the tars, too. A job has written them.
    """
    sources = open_listings(out)
    written = 0
    for format_ in formats:
        for folder, files in index_files(out, format_, sources, shards=shards):
            for name, content in files.items():
                written += write_index_file(folder / name, content)
    return written


def index_files(
    out: Path, format_: IndexFormat, sources: Sources, *, shards: bool
) -> Iterator[tuple[Path, IndexFiles]]:
    """(folder, files) of everything that a format writes."""
    for source, splits in sources.items():
        for listing in splits.values():
            if shards and format_.shard_files is not None:
                for info, entries in listing.shards():
                    yield listing.folder, format_.shard_files(info.name, entries)
            if format_.split_files is not None:
                yield listing.folder, format_.split_files(listing)
        if format_.source_files is not None:
            yield out / source, format_.source_files(splits)
    if format_.output_files is not None:
        yield out, format_.output_files(sources)


def write_index_file(path: Path, content: bytes | WriteFile) -> bool:
    """Write one file, whole or not at all, unless it has this content already; True if written.

    Raises:
        CorruptShardError: if the format cannot represent these shards.
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
