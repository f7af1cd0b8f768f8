"""Samples as bytes: not yet looked into."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from shards.layout import from_members
from shards.load.reading.split import SampleLocations
from shards.random import Ints, Words
from shards.sample import Sample
from shards.tar import parse_name, parse_sample, split_name


@dataclass(frozen=True, slots=True)
class BatchRequest:
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
    found: SampleLocations
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
            found=SampleLocations._make(column[here] for column in self.found),
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
        return split_name(parse_name(self.data, 0))[0]

    def members(self) -> dict[str, bytes]:
        """Extension -> content.

        Raises:
            CorruptShardError: as for the key.
        """
        return parse_sample(self.data)[1]

    def sample(self) -> Sample:
        """The sample, its annotations decoded.

        Raises:
            CorruptShardError: as for the key.
            SampleError: if they are not of the format.
        """
        return from_members(*parse_sample(self.data))


class RawBatch:
    """Samples of a batch, in order. Each becomes a `RawSample` when it is asked for.

    Attributes:
        data: of each sample; views of memory that is used again when nobody holds one, or of mapped
            files.
        places: of each in the rank's share: one that was skipped leaves a gap.
        asked: the share.
    """

    __slots__ = ("asked", "data", "places")

    def __init__(self, asked: BatchRequest, data: list[memoryview], places: Sequence[int]) -> None:
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
