"""Read shards with nothing but the standard library and msgspec."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from shards.layout import from_members
from shards.manifest import read_manifest
from shards.sample import Sample
from shards.tar import read_members, split_name


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of one shard in stored order.

    Raises:
        CorruptShardError: if the tar is cut short or not a tar.
        SampleError: if a sample is not of the format.
    """
    named = ((*split_name(member.name), content) for member, content in read_members(path))
    for key, group in groupby(named, key=lambda entry: entry[0]):
        yield from_members(key, {extension: content for _, extension, content in group})


def read_split(folder: Path) -> Iterator[Sample]:
    """Yield the samples of a split, shard by shard, as its manifest lists them.

    Raises:
        CorruptShardError: if there is no manifest, or a shard is damaged or missing.
    """
    for info in read_manifest(folder).shards:
        yield from read_shard(folder / f"{info.name}.tar")
