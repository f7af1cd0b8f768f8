"""The samples of a split or tar: selecting some of them, and reading only these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from shards import tar
from shards.classes import read_classes
from shards.errors import ShardError
from shards.layout import check_sample, from_members
from shards.manifest import MANIFEST, read_info, read_manifest
from shards.sample import Sample


class ViewError(ShardError):
    """There are no samples to draw, or the picture cannot be written."""


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The samples of a split or of one tar.

    Attributes:
        title: `<source>/<split>`, or the name of the tar.
        shards: (tar, its number of samples) in order; none is empty.
        classes: id -> name of the classes of the label maps.
    """

    title: str
    shards: tuple[tuple[Path, int], ...]
    classes: Mapping[int, str]


def open_sample_set(path: Path) -> SampleSet:
    """The samples of a folder or tar. Reads no tar if a manifest or record counts its samples.

    Raises:
        ShardError: if the path is not a finished split or a tar, or has no samples.
    """
    if path.suffix == ".tar":
        info = read_info(path.with_suffix(".json"))
        count = info.samples if info else sum(1 for _ in tar.read_samples(path))
        title, shards = path.stem, [(path, count)]
    else:
        if not (path / MANIFEST).is_file():
            _suggest_path(path)
        manifest = read_manifest(path)
        title = f"{manifest.source}/{manifest.split}"
        shards = [(path / f"{info.name}.tar", info.samples) for info in manifest.shards]
    filled = tuple((tar, samples) for tar, samples in shards if samples)
    if not filled:
        raise ViewError(f"{path}: has no samples; expected at least one to draw")
    folder = path.parent if path.suffix == ".tar" else path
    return SampleSet(title, filled, {info.id: info.name for info in read_classes(folder)})


def _suggest_path(path: Path) -> None:
    """Raise an error that names a split or tar below a folder without manifest, if there is one."""
    splits = sorted(
        p.parent for pattern in ("*", "*/*") for p in path.glob(f"{pattern}/{MANIFEST}")
    )
    if splits:
        names = ", ".join(str(split.relative_to(path)) for split in splits)
        raise ViewError(
            f"{path}: expected a split, found a folder of splits ({names}); try {splits[0]}"
        )
    tars = sorted(path.glob("*.tar"))
    if tars:
        raise ViewError(
            f"{path}: has no {MANIFEST}, so this split is not finished; finish it with "
            f"`python -m convert.run`, or view one shard: {tars[0]}"
        )


def select_positions(counts: Sequence[int], n: int, seed: int | None) -> list[tuple[int, int]]:
    """Positions of n samples, as (shard, position in it), in stored order.

    Without a seed they are at even distances. If there are at least n shards, these are the first
    samples of n shards, since a tar can only be read from its beginning.

    Args:
        counts: samples per shard, none of them 0.
        n: how many to select; all if there are fewer.
        seed: of a random selection.

    >>> select_positions([10, 10], 4, None)
    [(0, 0), (0, 5), (1, 0), (1, 5)]
    >>> select_positions([1000] * 6, 3, None)
    [(0, 0), (2, 0), (4, 0)]
    """
    total = sum(counts)
    n = min(n, total)
    if seed is None and n <= len(counts):
        return [(i * len(counts) // n, 0) for i in range(n)]
    if seed is None:
        indexes = np.arange(n) * total // n
    else:
        indexes = np.sort(np.random.default_rng(seed).choice(total, n, replace=False))
    ends = np.cumsum(counts)
    shards = np.searchsorted(ends, indexes, side="right")
    starts = ends - np.array(counts)
    return [(int(s), int(i - starts[s])) for s, i in zip(shards, indexes, strict=True)]


def select_by_position(
    samples: SampleSet, positions: Sequence[tuple[int, int]]
) -> Iterator[Sample]:
    """Yield the samples at these positions; reads a tar up to the last of them.

    Raises:
        ShardError: if a tar is damaged, or has fewer samples than its record says.
    """
    for shard, group in groupby(positions, key=lambda entry: entry[0]):
        path, _ = samples.shards[shard]
        remaining = {position for _, position in group}
        for position, (key, members) in enumerate(tar.read_samples(path)):
            if position in remaining:
                remaining.remove(position)
                yield check_sample(from_members(key, members))
            if not remaining:
                break
        else:
            raise ViewError(
                f"{path}: ends before sample {min(remaining) + 1}, which its record counts"
            )


def select_by_key(samples: SampleSet, keys: Sequence[str]) -> Iterator[Sample]:
    """Yield the samples with these keys in stored order.

    Raises:
        ShardError: after the others were yielded, if there are keys that no shard has.
    """
    remaining = set(keys)
    for path, _ in samples.shards:
        for key, members in tar.read_samples(path):
            if key in remaining:
                remaining.remove(key)
                yield check_sample(from_members(key, members))
            if not remaining:
                return
    missing = ", ".join(key for key in keys if key in remaining)
    raise ViewError(f"no such key in {samples.title}: {missing}")
