"""Index files for other readers. Each format is one module with one `IndexFormat`, without I/O.

Our own index (`shards.index.samples`) is always written; the others are computed from it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shards.index.samples import entries_of
from shards.manifest import Manifest, ShardInfo
from shards.tar import Entry

FileContents = Mapping[str, bytes]
"""Path relative to a folder -> content."""
WriteFile = Callable[[Path], None]
"""Writes a file that does not exist yet; the same bytes in every call."""
IndexFiles = Mapping[str, bytes | WriteFile]
"""`FileContents`, with a function in place of content that is too large for memory."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A finished split: its manifest, and the rows of our own index.

    Attributes:
        folder: of the split, for formats that need more than the rows, such as another hash.
        classes: id -> name of the classes of its label maps; empty without label maps.
    """

    folder: Path
    manifest: Manifest
    rows: pa.Table
    classes: Mapping[int, str]

    def shards(self) -> Iterator[tuple[ShardInfo, Sequence[Entry]]]:
        """Every shard with the positions of its samples, in stored order."""
        start = 0
        for info in self.manifest.shards:
            yield info, tuple(entries_of(self.rows.slice(start, info.samples)))
            start += info.samples


Splits = Mapping[str, Listing]
"""Split -> listing, of one source."""
Sources = Mapping[str, Splits]
"""Source -> split -> listing."""


@dataclass(frozen=True, slots=True)
class IndexFormat:
    """The index files of one reader: per shard, split or source, or for the whole output.

    Attributes:
        patterns: globs of its files, relative to the output. `shards.verify` checks a format if
            the job writes it, or if a pattern matches a file.
        shard_files: (name of the shard, positions of its samples) -> files beside the tar.
        split_files: files in the folder of a split.
        source_files: finished splits of a source -> files in the folder of the source.
        output_files: all finished splits -> files in the folder of the output.
    """

    name: str
    patterns: tuple[str, ...]
    shard_files: Callable[[str, Sequence[Entry]], FileContents] | None = None
    split_files: Callable[[Listing], IndexFiles] | None = None
    source_files: Callable[[Splits], IndexFiles] | None = None
    output_files: Callable[[Sources], IndexFiles] | None = None
