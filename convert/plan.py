"""The plan: the items of each shard. Pure: the same items and config give the same plan."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import msgspec

from convert.errors import SourceLayoutError
from convert.record import Item

ItemOrder = Literal["shuffled", "source"]

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class ShardTask(msgspec.Struct, frozen=True, array_like=True):
    """The unit of work, of retry and of resume: some items in, one shard out.

    Attributes:
        source: name of the config entry.
        split: train, val, ...
        number: of the shard in its split, from 0.
        count: number of its items, to detect a lost one.
        digest: hash of everything that decides the shard's bytes.
    """

    source: str
    split: str
    number: int
    count: int
    digest: str

    @property
    def folder(self) -> str:
        """The folder of the shard, relative to the output."""
        return f"{self.source}/{self.split}"

    @property
    def shard(self) -> str:
        """The name of the shard, without extension."""
        return shard_name(self.source, self.split, self.number)


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How the items of a source are divided into shards.

    Attributes:
        items_per_shard: maximum. The sizes of the shards of a split differ by at most one item.
        order: `shuffled` is a random order that depends only on the ids and the seed. Upstream's
            order is often by scene or class, which a loader's shuffle buffer of some thousand
            samples cannot undo. `source` is upstream's order.
        seed: of the shuffle.
        limit: take only the first items of that order; None takes all.
    """

    items_per_shard: int = 1000
    order: ItemOrder = "shuffled"
    seed: int = 0
    limit: int | None = None


def shard_name(source: str, split: str, number: int) -> str:
    """The name of a shard's files, without extension.

    >>> shard_name("refcoco", "testA", 3)
    'refcoco-testA-000003'
    """
    return f"{source}-{split}-{number:06d}"


def plan_split(
    source: str, split: str, items: Iterable[Item], policy: PlanPolicy, fingerprint: bytes
) -> Iterator[tuple[ShardTask, Sequence[Item]]]:
    """Yield the shards of one split, each with its items in stored order.

    The number of workers is not an argument: it must not change a plan.

    Args:
        source: name of the config entry.
        split: name of the split.
        items: of the split, in upstream's order.
        policy: how to divide them.
        fingerprint: encoding of everything but the items that decides a sample's bytes.
    """
    ordered = list(items)
    if policy.order == "shuffled":
        ordered.sort(key=lambda item: _shuffle_key(policy.seed, source, item.id))
    ordered = ordered[: policy.limit]
    count = -(-len(ordered) // policy.items_per_shard)
    for number, (start, stop) in enumerate(pairwise(even_cuts(len(ordered), count))):
        shard = ordered[start:stop]
        yield ShardTask(source, split, number, len(shard), _digest(fingerprint, shard)), shard


def _shuffle_key(seed: int, source: str, item_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{source}/{item_id}".encode(), digest_size=16).digest()


def _digest(fingerprint: bytes, items: Sequence[Item]) -> str:
    return hashlib.sha256(fingerprint + _encoder.encode(items)).hexdigest()


def even_cuts(length: int, parts: int) -> list[int]:
    """Borders of `parts` consecutive pieces whose lengths differ by at most one.

    >>> even_cuts(10, 3)
    [0, 3, 6, 10]
    """
    return [length * number // parts for number in range(parts + 1)] if parts else []


def fingerprint(*values: object) -> bytes:
    """A canonical encoding of plain values, for digests."""
    return _encoder.encode(values)


def plan_digest(tasks: Iterable[ShardTask]) -> str:
    """One hash of all tasks of a split."""
    return hashlib.sha256(_encoder.encode([task.digest for task in tasks])).hexdigest()


def expect_unique(source: str, items: Iterable[Item]) -> None:
    """Raise if two items have the same id, because their samples would share a key.

    Raises:
        SourceLayoutError: with some of the ids.
    """
    counts = Counter(item.id for item in items)
    repeated = [item_id for item_id, count in counts.items() if count > 1]
    if repeated:
        raise SourceLayoutError(
            f"{source}: {len(repeated)} photos come more than once, such as "
            f"{', '.join(repeated[:3])}; expected each photo in one split and once"
        )


def expect_splits(source: str, items: Iterable[Item], known: Sequence[str]) -> None:
    """Raise if the files use a split that the config does not list.

    Raises:
        SourceLayoutError: with the names of these splits.
    """
    unknown = sorted({item.split for item in items} - set(known))
    if unknown:
        raise SourceLayoutError(
            f"{source}: its files use the splits {', '.join(unknown)}, the config lists "
            f"{', '.join(known)}; add them to its `splits`"
        )
