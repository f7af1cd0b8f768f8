"""Which shard is made of which items. Pure: the same items and config give the same plan."""

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
    """One unit of work, of retry and of resume: some items in, one shard out.

    Attributes:
        source: name of the config entry.
        split: train, val, ...
        number: of the shard in its split, from 0.
        count: items in it, so that a lost one is noticed.
        digest: hash of everything that decides the shard's bytes.
    """

    source: str
    split: str
    number: int
    count: int
    digest: str

    @property
    def folder(self) -> str:
        """Where the shard goes, relative to the output."""
        return f"{self.source}/{self.split}"

    @property
    def shard(self) -> str:
        """Its name, without extension."""
        return shard_name(self.source, self.split, self.number)


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How the items of a source are laid out over shards.

    Attributes:
        items_per_shard: at most so many; the shards of a split differ by one item at the most.
        order: `shuffled` puts items in a random order that depends on their ids and the seed
            alone; upstream's order is often by scene or class, and no loader's buffer of some
            thousand samples can undo that. `source` keeps upstream's order.
        seed: of the shuffle.
        limit: take so many items of each split, the first of that order; None takes all.
    """

    items_per_shard: int = 1000
    order: ItemOrder = "shuffled"
    seed: int = 0
    limit: int | None = None


def shard_name(source: str, split: str, number: int) -> str:
    """Name of a shard's files, without extension.

    >>> shard_name("refcoco", "testA", 3)
    'refcoco-testA-000003'
    """
    return f"{source}-{split}-{number:06d}"


def plan_split(
    source: str, split: str, items: Iterable[Item], policy: PlanPolicy, fingerprint: bytes
) -> Iterator[tuple[ShardTask, Sequence[Item]]]:
    """Cut one split into shards, each with its items in stored order.

    The number of workers is no argument, and must never be.

    Args:
        source: name of the config entry.
        split: all items are of it.
        items: in upstream's order.
        policy: how to cut.
        fingerprint: of everything beside the items that decides a sample's bytes.
    """
    ordered = list(items)
    if policy.order == "shuffled":
        ordered.sort(key=lambda item: _chance(policy.seed, source, item.id))
    ordered = ordered[: policy.limit]
    shards = -(-len(ordered) // policy.items_per_shard)
    for number, (start, stop) in enumerate(pairwise(even_cuts(len(ordered), shards))):
        part = ordered[start:stop]
        yield ShardTask(source, split, number, len(part), _digest(fingerprint, part)), part


def _chance(seed: int, source: str, item_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{source}/{item_id}".encode(), digest_size=16).digest()


def _digest(fingerprint: bytes, items: Sequence[Item]) -> str:
    return hashlib.sha256(fingerprint + _encoder.encode(items)).hexdigest()


def even_cuts(length: int, parts: int) -> list[int]:
    """Borders of `parts` consecutive pieces that differ in length by one at the most.

    >>> even_cuts(10, 3)
    [0, 3, 6, 10]
    """
    return [length * number // parts for number in range(parts + 1)] if parts else []


def fingerprint(*parts: object) -> bytes:
    """A canonical encoding of plain values, for digests."""
    return _encoder.encode(parts)


def plan_digest(tasks: Iterable[ShardTask]) -> str:
    """One hash over a split's tasks."""
    return hashlib.sha256(_encoder.encode([task.digest for task in tasks])).hexdigest()


def expect_unique(source: str, items: Iterable[Item]) -> None:
    """Raise if two items have one id: their samples would share a key.

    Raises:
        SourceLayoutError: naming some of the ids.
    """
    counts = Counter(item.id for item in items)
    twice = [item_id for item_id, count in counts.items() if count > 1]
    if twice:
        raise SourceLayoutError(
            f"{source}: {len(twice)} photos come more than once, such as {', '.join(twice[:3])}; "
            f"expected each photo in one split and once"
        )


def expect_splits(source: str, items: Iterable[Item], known: Sequence[str]) -> None:
    """Raise if the files use a split that nobody would convert.

    Raises:
        SourceLayoutError: naming the splits.
    """
    unknown = sorted({item.split for item in items} - set(known))
    if unknown:
        raise SourceLayoutError(
            f"{source}: its files use the splits {', '.join(unknown)}, the config lists "
            f"{', '.join(known)}; add them to its `splits`"
        )
