"""Index formats. Each is one file, one value of `IndexFormat`, and no I/O.

Our own index (`shards.index.samples`) is always written; the others are made of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shards.index.samples import entries_of
from shards.manifest import Manifest, ShardInfo
from shards.tar import Entry

IndexFiles = Mapping[str, bytes]
"""Path -> content, relative to the folder that the function is about."""
Writer = Callable[[Path], None]
"""Writes a file where none is yet, the same bytes every time."""
LargeFiles = Mapping[str, bytes | Writer]
"""`IndexFiles` of which some are too large to be held: what writes them stands for these."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A finished split: its manifest, and the rows of our own index.

    Attributes:
        folder: of the split; only for formats that need what no index holds, such as a second hash.
        classes: names of the label ids, where there are label maps.
    """

    folder: Path
    manifest: Manifest
    rows: pa.Table
    classes: Mapping[int, str]

    def shards(self) -> Iterator[tuple[ShardInfo, Sequence[Entry]]]:
        """Every shard with its samples, in stored order."""
        start = 0
        for info in self.manifest.shards:
            yield info, tuple(entries_of(self.rows.slice(start, info.samples)))
            start += info.samples


Splits = Mapping[str, Listing]
"""Name of a split -> the split."""


def _no_shard_files(_name: str, _entries: Sequence[Entry]) -> IndexFiles:
    return {}


def _no_split_files(_listing: Listing) -> IndexFiles:
    return {}


def _no_source_files(_splits: Splits) -> IndexFiles:
    return {}


def _no_output_files(_sources: Mapping[str, Splits]) -> IndexFiles:
    return {}


@dataclass(frozen=True, slots=True)
class IndexFormat:
    """How one consumer wants its index files: per shard, split, source, or for all of the output.

    Attributes:
        shard_files: (name of the shard, its samples in stored order) -> files beside the tar.
        split_files: a split -> files in its folder.
        source_files: the finished splits of a source -> files in the source's folder.
        output_files: name of a source -> its finished splits -> files in the output's folder.
        patterns: globs of its files, below the output's folder: where none of them is found, and
            no job wrote the format, `shards.verify` does not look for it.
    """

    name: str
    patterns: tuple[str, ...]
    shard_files: Callable[[str, Sequence[Entry]], IndexFiles] = _no_shard_files
    split_files: Callable[[Listing], LargeFiles] = _no_split_files
    source_files: Callable[[Splits], LargeFiles] = _no_source_files
    output_files: Callable[[Mapping[str, Splits]], LargeFiles] = _no_output_files
