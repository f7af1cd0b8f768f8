"""Samples with their pixels: photos decoded straight into the batch, masks painted from runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shards.load.decode import Bytes, decode_labels, decode_photo, paint_masks
from shards.load.losses import DAMAGED
from shards.load.memory import Memory, Source
from shards.load.raw import Asked, RawBatch, RawSample
from shards.load.reader import Reader
from shards.load.works import kept
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
class PixelWork:
    """Decode photos, chosen masks, and label maps if they are wanted.

    Attributes:
        choose: which masks.
        labels: whether label maps are wanted.
        photos: memory that photos are decoded to.
        more: memory for masks and label maps, which are smaller.
    """

    choose: ChooseMasks = no_masks
    labels: bool = False
    photos: Source = field(default_factory=Memory)
    more: Source = field(default_factory=Memory)

    def begin(self, asked: Asked) -> "_Making":
        """Begin a batch."""
        return _Making(self, asked)

    def cost(self, asked: Asked) -> int:
        """Bytes of the photos, coded and decoded."""
        return asked.coded_bytes + 3 * int(asked.pixels.sum())


class _Making:
    def __init__(self, work: PixelWork, asked: Asked) -> None:
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
                reader.losses.add(error, raw.part, raw.row)

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
        paint_masks(sample, regions, masks)
        labels = None
        if self._work.labels and sample.labels is not None:
            labels = self._work.more.array(image.shape[:2], np.uint8)
            labels[:] = decode_labels(sample)
        return Pixels(sample, image, regions, masks, labels, raw.which, raw.seed)


def _parse(raw: RawSample, reader: Reader) -> Sample | None:
    """The sample; None if it is damaged and to be skipped."""
    try:
        return raw.sample()
    except DAMAGED as error:
        reader.losses.add(error, raw.part, raw.row)
        return None
