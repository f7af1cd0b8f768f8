"""Index formats. Each is one file, one value of `IndexFormat`, and no I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shards.manifest import Manifest
from shards.tar import Entry

Files = Mapping[str, bytes]
"""File name -> content, beside the tar or the manifest."""


def _no_shard_files(_name: str, _entries: Sequence[Entry]) -> Files:
    return {}


def _no_split_files(_manifest: Manifest) -> Files:
    return {}


@dataclass(frozen=True, slots=True)
class IndexFormat:
    """How one consumer wants its index files: per shard, per split, or both.

    Attributes:
        shard_files: (name of the shard, its samples in stored order) -> files.
        split_files: manifest -> files.
    """

    name: str
    shard_files: Callable[[str, Sequence[Entry]], Files] = _no_shard_files
    split_files: Callable[[Manifest], Files] = _no_split_files
