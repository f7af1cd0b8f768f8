"""Index formats. Each is one file, one value of `IndexFormat`, and no I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shards.manifest import Manifest
from shards.tar import Member

Files = Mapping[str, bytes]
"""File name -> content, beside the tar or the manifest."""


def _no_shard_files(_name: str, _members: Sequence[Member]) -> Files:
    return {}


def _no_split_files(_manifest: Manifest) -> Files:
    return {}


@dataclass(frozen=True, slots=True)
class IndexFormat:
    """How one consumer wants its index files: per shard, per split, or both.

    Attributes:
        shard_files: (name of the shard, members in stored order) -> files.
        split_files: manifest -> files.
    """

    name: str
    shard_files: Callable[[str, Sequence[Member]], Files] = _no_shard_files
    split_files: Callable[[Manifest], Files] = _no_split_files
