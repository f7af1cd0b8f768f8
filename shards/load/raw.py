"""Samples as bytes: read, checked, and not yet looked into."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Never

from xxhash import xxh3_64_intdigest

from shards.errors import CorruptShardError
from shards.layout import from_members
from shards.load.losses import Losses
from shards.load.memory import Memory
from shards.load.split import Split
from shards.sample import Sample
from shards.tar import BLOCK, MAX_NAME, split_name


@dataclass(frozen=True, slots=True)
class Asked:
    """A rank's share of one batch, before anything is read; everything is as long as the share.

    Attributes:
        epoch: of the batch.
        number: of the batch in its epoch.
        parts: number of the dataset.
        rows: number of the sample in its split.
        which: number of the unit in its sample; -1 where samples are not expanded.
        shards: number of the shard in its split.
        offsets: of the sample in its tar.
        sizes: bytes of the sample in its tar.
        checksums: xxh3 of these.
        shapes: (height, width) of the stored photo.
        seeds: for whatever is left to chance, of 64 bits: of the seed, dataset, pass and unit.
    """

    epoch: int
    number: int
    parts: Sequence[int]
    rows: Sequence[int]
    which: Sequence[int]
    shards: Sequence[int]
    offsets: Sequence[int]
    sizes: Sequence[int]
    checksums: Sequence[int]
    shapes: Sequence[tuple[int, int]]
    seeds: Sequence[int]

    def __len__(self) -> int:
        """Samples in the share."""
        return len(self.sizes)


class RawSample(NamedTuple):
    """One sample as it stands in its tar.

    Attributes:
        data: headers, contents and padding; `bytes(data)` is a copy to keep.
        part: number of the dataset it is from.
        row: its number in the split.
        which: number of the caption, phrase... that it is given for, where it is expanded over
            them; else None.
        seed: for whatever is left to chance.
    """

    data: memoryview
    part: int
    row: int
    which: int | None
    seed: int

    @property
    def key(self) -> str:
        """The sample's key."""
        return split_name(_name(self.data, 0))[0]

    def members(self) -> dict[str, bytes]:
        """Extension -> content."""
        return dict(iterate_members(self.data))

    def sample(self) -> Sample:
        """The sample, its annotations decoded.

        Raises:
            SampleError: if they are not of the format.
        """
        return from_members(self.key, self.members())


class RawBatch:
    """Samples of a batch, in order. Each becomes a `RawSample` when it is asked for.

    Attributes:
        data: of each sample; views of memory that is used again when nobody holds one.
        places: of each in the rank's share: one that was skipped leaves a gap.
        asked: the share.
    """

    __slots__ = ("asked", "data", "places")

    def __init__(self, asked: Asked, data: list[memoryview], places: Sequence[int]) -> None:
        self.asked, self.data, self.places = asked, data, places

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[RawSample]:
        return map(self.__getitem__, range(len(self.data)))

    def __getitem__(self, number: int) -> RawSample:
        """The sample at a place among those that were read."""
        asked, place = self.asked, self.places[number]
        which = asked.which[place]
        return RawSample(
            self.data[number],
            asked.parts[place],
            asked.rows[place],
            which if which >= 0 else None,
            asked.seeds[place],
        )


def read(  # noqa: PLR0913 - each is another's
    splits: Sequence[Split],
    asked: Asked,
    places: range,
    losses: Losses,
    memory: Memory,
    *,
    check: bool,
) -> RawBatch:
    """Read some samples of a share.

    Args:
        splits: by number.
        asked: the share.
        places: which of it.
        losses: what to do about those that are missing or damaged.
        memory: to read into.
        check: compare each with its checksum.

    Raises:
        CorruptShardError: naming file and offset, unless it is to be skipped.
    """
    stretch = slice(places.start, places.stop)
    sizes = asked.sizes[stretch]
    whole = memory.take(sum(sizes)).data
    data: list[memoryview] = []
    lost: set[int] = set()
    rows = zip(
        places,
        asked.parts[stretch],
        asked.shards[stretch],
        asked.offsets[stretch],
        sizes,
        asked.checksums[stretch],
        strict=True,
    )
    start = 0
    for place, part, shard, offset, size, checksum in rows:
        out = whole[start : start + size]
        start += size
        split = splits[part]
        try:
            split.files.read_into(split.names[shard], offset, out)
            if check and xxh3_64_intdigest(out) != checksum:
                _refuse(f"{split.files.where}/{split.names[shard]}", offset)
        except CorruptShardError as error:
            losses.add(error)
            lost.add(place)
        else:
            data.append(out)
    return RawBatch(asked, data, [place for place in places if place not in lost])


def _refuse(file: str, offset: int) -> Never:
    raise CorruptShardError(
        f"{file}, byte {offset}: the sample is not what was written; `python -m shards.verify` "
        f"tells more"
    )


def iterate_members(data: memoryview) -> Iterator[tuple[str, bytes]]:
    """(extension, content) of each member of one sample; the checksum vouches for the bytes."""
    place = 0
    while place < len(data):
        name = _name(data, place)
        size = int(bytes(data[place + 124 : place + 135]), 8)
        place += BLOCK
        yield split_name(name)[1], bytes(data[place : place + size])
        place += -(-size // BLOCK) * BLOCK


def _name(data: memoryview, place: int) -> str:
    return bytes(data[place : place + MAX_NAME]).rstrip(b"\0").decode("ascii")
