"""Which samples of a split or a tar to look at, and reading just these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from shards import tar
from shards.classes import read_classes
from shards.errors import ShardError
from shards.layout import from_members
from shards.manifest import MANIFEST, read_info, read_manifest
from shards.sample import Sample, check


class ViewError(ShardError):
    """There is nothing to draw, or nowhere to put the picture."""


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Where samples are taken from.

    Attributes:
        title: for people.
        shards: the tars in order, and how many samples each has; none is empty.
        classes: label id -> name.
    """

    title: str
    shards: tuple[tuple[Path, int], ...]
    classes: Mapping[int, str]


def open_sample_set(path: Path) -> SampleSet:
    """What a folder or tar has to offer; reads no sample where a manifest or record counts them.

    Raises:
        ShardError: if it is not a finished split or a tar, or has no samples.
    """
    if path.suffix == ".tar":
        info = read_info(path.with_suffix(".json"))
        count = info.samples if info else sum(1 for _ in tar.read_samples(path))
        title, shards = path.stem, [(path, count)]
    else:
        if not (path / MANIFEST).is_file():
            _explain(path)
        manifest = read_manifest(path)
        title = f"{manifest.source}/{manifest.split}"
        shards = [(path / f"{info.name}.tar", info.samples) for info in manifest.shards]
    filled = tuple((tar, samples) for tar, samples in shards if samples)
    if not filled:
        raise ViewError(f"{path}: has no samples; there is nothing to draw")
    folder = path.parent if path.suffix == ".tar" else path
    return SampleSet(title, filled, {info.id: info.name for info in read_classes(folder)})


def _explain(path: Path) -> None:
    """Raise an error that helps more than the bare absence of a manifest, if there is one."""
    splits = sorted(
        p.parent for pattern in ("*", "*/*") for p in path.glob(f"{pattern}/{MANIFEST}")
    )
    if splits:
        names = ", ".join(str(split.relative_to(path)) for split in splits)
        raise ViewError(f"{path}: is not a split but holds some ({names}); try {splits[0]}")
    tars = sorted(path.glob("*.tar"))
    if tars:
        raise ViewError(
            f"{path}: has no {MANIFEST}, so this split is not finished; finish it with "
            f"`python -m convert.run`, or look at one shard: {tars[0]}"
        )


def choose(counts: Sequence[int], n: int, seed: int | None) -> list[tuple[int, int]]:
    """Which samples to draw: (shard, position in it), in stored order.

    Where there are shards enough, an even spread takes the first sample of n of them: a tar can
    only be read from its beginning.

    Args:
        counts: samples per shard, none of them 0.
        n: how many to choose; all, if there are no more.
        seed: None for an even spread.

    >>> choose([10, 10], 4, None)
    [(0, 0), (0, 5), (1, 0), (1, 5)]
    >>> choose([1000] * 6, 3, None)
    [(0, 0), (2, 0), (4, 0)]
    """
    total = sum(counts)
    n = min(n, total)
    if seed is None and n <= len(counts):
        return [(i * len(counts) // n, 0) for i in range(n)]
    if seed is None:
        positions = np.arange(n) * total // n
    else:
        positions = np.sort(np.random.default_rng(seed).choice(total, n, replace=False))
    ends = np.cumsum(counts)
    shards = np.searchsorted(ends, positions, side="right")
    starts = ends - np.array(counts)
    return [(int(s), int(p - starts[s])) for s, p in zip(shards, positions, strict=True)]


def read_samples(shelf: SampleSet, chosen: Sequence[tuple[int, int]]) -> Iterator[Sample]:
    """Yield the chosen samples; a tar is read no further than to the last of them.

    Raises:
        ShardError: if a tar is damaged, or has fewer samples than its record says.
    """
    for shard, group in groupby(chosen, key=lambda entry: entry[0]):
        path, _ = shelf.shards[shard]
        left = {position for _, position in group}
        for position, (key, members) in enumerate(tar.read_samples(path)):
            if position in left:
                left.remove(position)
                yield check(from_members(key, members))
            if not left:
                break
        else:
            raise ViewError(f"{path}: ends before sample {min(left) + 1}, which its record counts")


def find_samples(shelf: SampleSet, keys: Sequence[str]) -> Iterator[Sample]:
    """Yield the samples of these keys in stored order.

    Raises:
        ShardError: after all others were yielded, if there are keys that no shard has.
    """
    left = set(keys)
    for path, _ in shelf.shards:
        for key, members in tar.read_samples(path):
            if key in left:
                left.remove(key)
                yield check(from_members(key, members))
            if not left:
                return
    missing = ", ".join(key for key in keys if key in left)
    raise ViewError(f"no such key in {shelf.title}: {missing}")
