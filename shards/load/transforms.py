"""What samples are made into: left as bytes, or handed to a function one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from shards.errors import ExampleError, LoadError
from shards.load.reading.batch import BatchRequest, RawBatch, RawSample
from shards.load.reading.buffers import Allocator, BufferPool
from shards.load.reading.reader import DAMAGED, Reader
from shards.pixels import Bytes, decode_labels, decode_photo, masks_of, paint_masks
from shards.sample import Sample

ChooseMasks = Callable[[Sample, int, int | None], Sequence[int]]
"""(sample, seed, which) -> numbers of the regions whose masks are wanted; each must have one."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """One sample, decoded.

    Attributes:
        sample: all the rest of it.
        image: uint8 [height, width, 3], RGB; a stretch of the batch's memory.
        regions: numbers of the regions that masks were painted of.
        masks: bool [regions, height, width].
        labels: uint8 [height, width] of class ids, 255 is ignore; None where there is no label map
            or none was asked for.
        which: number of what the sample is given for, where it is expanded; else None.
        seed: for whatever is left to chance.
    """

    sample: Sample
    image: Bytes
    regions: tuple[int, ...]
    masks: NDArray[np.bool_]
    labels: Bytes | None
    which: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """Decoded samples, in order.

    Attributes:
        samples: of the batch.
        memory: uint8; all photos, one after the other: to move this is to move them all.
    """

    samples: Sequence[Pixels]
    memory: Bytes


def all_masks(sample: Sample, _seed: int, _which: int | None) -> list[int]:
    """Choose every region that has a mask."""
    return [number for number, each in enumerate(sample.regions) if each.mask is not None]


def no_masks(_sample: Sample, _seed: int, _which: int | None) -> list[int]:
    """Choose none."""
    return []


@dataclass(frozen=True, slots=True)
class PixelTransform:
    """Decode photos, chosen masks, and label maps if they are wanted.

    Attributes:
        choose: which masks.
        labels: whether label maps are wanted.
        photos: memory that photos are decoded to.
        more: memory for masks and label maps, which are smaller.
    """

    choose: ChooseMasks = no_masks
    labels: bool = False
    photos: Allocator = field(default_factory=BufferPool)
    more: Allocator = field(default_factory=BufferPool)

    def begin(self, asked: BatchRequest) -> "_Making":
        """Begin a batch."""
        return _Making(self, asked)

    def cost(self, asked: BatchRequest) -> int:
        """Bytes of the photos, coded and decoded."""
        return asked.coded_bytes + 3 * int(asked.pixels.sum())


class _Making:
    def __init__(self, work: PixelTransform, asked: BatchRequest) -> None:
        heights, widths = asked.found.heights.tolist(), asked.found.widths.tolist()
        self._work, self._shapes = work, list(zip(heights, widths, strict=True))
        self._ends: list[int] = np.cumsum(3 * asked.pixels).tolist()
        self._memory: Bytes = work.photos.take(self._ends[-1])
        self._made: list[tuple[Pixels] | None] = [None] * len(asked)

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        # All are parsed before the first is decoded: a photo leaves nothing of the parser in the
        # processor's cache, and to bring it back for each takes longer than parsing does.
        parsed = [_parse(raw, reader) for raw in raws]
        for place, raw, sample in zip(raws.places, raws, parsed, strict=True):
            if sample is None:
                continue
            try:
                self._made[place] = (self._decode(raw, sample, self._image(place)),)
            except DAMAGED as error:
                reader.skips.add(error, raw.part, raw.row)

    def finish(self) -> PixelBatch:
        return PixelBatch(kept(self._made), self._memory)

    def _image(self, place: int) -> Bytes:
        height, width = self._shapes[place]
        end = self._ends[place]
        return self._memory[end - 3 * height * width : end].reshape(height, width, 3)

    def _decode(self, raw: RawSample, sample: Sample, image: Bytes) -> Pixels:
        decode_photo(sample, image)
        regions = tuple(self._work.choose(sample, raw.seed, raw.which))
        masks = self._work.more.array((len(regions), *image.shape[:2]), np.bool_)
        paint_masks(sample, masks_of(sample, regions), masks)
        labels = None
        if self._work.labels and sample.labels is not None:
            labels = self._work.more.array(image.shape[:2], np.uint8)
            decode_labels(sample, labels)
        return Pixels(sample, image, regions, masks, labels, raw.which, raw.seed)


def _parse(raw: RawSample, reader: Reader) -> Sample | None:
    """The sample; None if it is damaged and to be skipped."""
    try:
        return raw.sample()
    except DAMAGED as error:
        reader.skips.add(error, raw.part, raw.row)
        return None


T = TypeVar("T")
B = TypeVar("B")
ExampleFunction = Callable[[Sample, int, int | None], T]
"""(sample, seed, which) -> example. All chance comes from the seed. `which` numbers the caption,
phrase... that the sample is given for where it is expanded over them, and is None elsewhere."""

_DECODED = 8
"""A decoded photo takes about this many times the bytes of the coded one."""


class RawTransform:
    """Samples as bytes."""

    def begin(self, asked: BatchRequest) -> "_Raws":
        """Begin a batch."""
        return _Raws(asked)

    def cost(self, asked: BatchRequest) -> int:
        """Bytes of the batch."""
        return asked.coded_bytes


class _Raws:
    def __init__(self, asked: BatchRequest) -> None:
        self._asked = asked
        self._pieces: list[RawBatch] = []

    def fill(self, raws: RawBatch, _reader: Reader) -> None:
        self._pieces.append(raws)

    def finish(self) -> RawBatch:
        if len(self._pieces) == 1:
            return self._pieces[0]
        pieces = sorted((piece for piece in self._pieces if piece), key=lambda p: p.places[0])
        data = [each for piece in pieces for each in piece.data]
        return RawBatch(self._asked, data, [at for piece in pieces for at in piece.places])


class ExampleTransform(Generic[T, B]):
    """Every sample made into an example by a function, and these into a batch by another."""

    def __init__(
        self,
        example: ExampleFunction[T] | Sequence[ExampleFunction[T]],
        collate: Callable[[list[T]], B],
    ) -> None:
        """Remember the functions; threads call the first one, the caller's thread the second.

        Args:
            example: for all samples, or one for each dataset of a mixture.
            collate: of a batch's examples.
        """
        self._example, self._collate = example, collate

    def begin(self, asked: BatchRequest) -> "_Examples[T, B]":
        """Begin a batch."""
        examples = self._example
        chosen = (
            [examples] * len(asked)
            if callable(examples)
            else [examples[part] for part in asked.parts.tolist()]
        )
        return _Examples(chosen, self._collate)

    def cost(self, asked: BatchRequest) -> int:
        """Bytes of the batch, about."""
        return _DECODED * asked.coded_bytes


class _Examples(Generic[T, B]):
    def __init__(
        self, examples: Sequence[ExampleFunction[T]], collate: Callable[[list[T]], B]
    ) -> None:
        self._examples, self._collate = examples, collate
        self._made: list[tuple[T] | None] = [None] * len(examples)

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        for place, raw in zip(raws.places, raws, strict=True):
            try:
                self._made[place] = self._make(self._examples[place], raw, reader)
            except DAMAGED as error:
                reader.skips.add(error, raw.part, raw.row)

    @staticmethod
    def _make(example: ExampleFunction[T], raw: RawSample, reader: Reader) -> tuple[T] | None:
        """An example of this sample, or of another one, if it can make none."""
        given: RawSample | None = raw
        for tries in count():
            if given is None:
                return None
            try:
                return (example(given.sample(), given.seed, given.which),)
            except ExampleError as error:
                given = reader.another(given, error, tries)
        return None

    def finish(self) -> B:
        return self._collate(kept(self._made))


def kept(made: Sequence[tuple[T] | None]) -> list[T]:
    """What was made of those that were not skipped.

    Raises:
        LoadError: if all were.
    """
    found = [each[0] for each in made if each is not None]
    if not found:
        raise LoadError("every sample of the batch was skipped")
    return found
