"""Samples as bytes: not yet looked into."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from shards.errors import CorruptShardError
from shards.layout import from_members
from shards.load.places import Places
from shards.load.shuffle import Ints, Words
from shards.sample import Sample
from shards.tar import BLOCK, MAX_NAME, split_name


@dataclass(frozen=True, slots=True)
class Asked:
    """A rank's share of one batch, before anything is read.

    Attributes:
        epoch: of the batch.
        number: of the batch in its epoch.
        parts: int64 [share]; number of the dataset.
        tars: int64 [share]; number of the shard among those of all datasets.
        found: where each sample is, arrays [share].
        seeds: uint64 [share]; for whatever is left to chance, of the seed, dataset, pass and unit.
    """

    epoch: int
    number: int
    parts: Ints
    tars: Ints
    found: Places
    seeds: Words

    def __len__(self) -> int:
        """Samples in the share."""
        return len(self.parts)

    def some(self, places: range) -> Self:
        """The same, of some places only."""
        if len(places) == len(self):
            return self
        here = slice(places.start, places.stop)
        return replace(
            self,
            parts=self.parts[here],
            tars=self.tars[here],
            found=Places._make(column[here] for column in self.found),
            seeds=self.seeds[here],
        )

    @property
    def coded_bytes(self) -> int:
        """Of all samples in their tars."""
        return int(self.found.sizes.sum())

    @property
    def pixels(self) -> Ints:
        """Of each stored photo: int64 [share]."""
        areas: Ints = self.found.heights * self.found.widths
        return areas


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
        """The sample's key.

        Raises:
            CorruptShardError: if a header is damaged; where checksums are compared, none is.
        """
        return split_name(_name(self.data, 0))[0]

    def members(self) -> dict[str, bytes]:
        """Extension -> content.

        Raises:
            CorruptShardError: as for the key.
        """
        return read_members(self.data)[1]

    def sample(self) -> Sample:
        """The sample, its annotations decoded.

        Raises:
            CorruptShardError: as for the key.
            SampleError: if they are not of the format.
        """
        return from_members(*read_members(self.data))


class RawBatch:
    """Samples of a batch, in order. Each becomes a `RawSample` when it is asked for.

    Attributes:
        data: of each sample; views of memory that is used again when nobody holds one, or of mapped
            files.
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
        which = int(asked.found.which[place])
        return RawSample(
            self.data[number],
            int(asked.parts[place]),
            int(asked.found.rows[place]),
            which if which >= 0 else None,
            int(asked.seeds[place]),
        )


def read_members(data: memoryview) -> tuple[str, dict[str, bytes]]:
    """The key of one sample, and each member's content by its extension.

    Raises:
        CorruptShardError: if a header is damaged, which a checksum tells before.
    """
    place, key = 0, ""
    members: dict[str, bytes] = {}
    while place < len(data):
        key, extension = split_name(_name(data, place))
        size = _size(data, place)
        place += BLOCK
        members[extension] = bytes(data[place : place + size])
        place += -(-size // BLOCK) * BLOCK
    return key, members


def _name(data: memoryview, place: int) -> str:
    try:
        return bytes(data[place : place + MAX_NAME]).rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise _damaged(place, "a name") from error


def _size(data: memoryview, place: int) -> int:
    digits = bytes(data[place + 124 : place + 135])
    try:
        size = int(digits, 8)
    except ValueError as error:
        raise _damaged(place, "a size") from error
    if not 0 <= size <= len(data) - place - BLOCK:
        raise _damaged(place, "a size")
    return size


def _damaged(place: int, what: str) -> CorruptShardError:
    return CorruptShardError(
        f"byte {place} of a sample: expected a tar header with {what}; `python -m shards.verify` "
        f"tells more"
    )
