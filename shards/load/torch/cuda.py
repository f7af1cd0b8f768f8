"""Photos decoded and masks painted on a GPU.

JPEGs go to nvJPEG through torchvision, a batch at a time; masks go as run lengths and become pixels
by a running sum. What comes out is what `shards.load.transforms` gives, within the tolerance of the
decoder: masks are equal, photos differ by a few levels where nvJPEG rounds otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

from shards.errors import CorruptShardError, DecodeError, LoadError
from shards.load.reading.batch import BatchRequest, RawBatch
from shards.load.reading.reader import DAMAGED, Reader, SkipTracker
from shards.load.transforms import ChooseMasks, kept
from shards.pixels import decode_runs, masks_of
from shards.rle import Runs
from shards.sample import Sample, Size

Tensor = Any
"""`torch.Tensor`; torch has no types here."""


def decode_photos(samples: Sequence[Sample], device: Any) -> list[Tensor | CorruptShardError]:
    """Photos as uint8 [3, height, width] each, on the device; or what is wrong with one.

    All are decoded at once, and one by one only where that fails: the decoder does not say which
    of a batch is damaged.

    Raises:
        LoadError: if torchvision is missing, or cannot use this device.
    """
    try:
        from torchvision.io import ImageReadMode, decode_jpeg
    except (ImportError, RuntimeError) as error:
        raise LoadError(
            f"decode='cuda' needs torchvision with nvJPEG ({error}); decode='cpu' does without"
        ) from error

    def decode(some: Sequence[Sample]) -> list[Tensor]:
        coded = [torch.frombuffer(bytearray(each.image.data), dtype=torch.uint8) for each in some]
        images: list[Tensor] = decode_jpeg(coded, mode=ImageReadMode.RGB, device=device)
        return images

    def decode_one(sample: Sample) -> Tensor | CorruptShardError:
        try:
            return _expect_size(sample, decode([sample])[0])
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            return DecodeError(f"{sample.key}.jpg: {error}")

    others = [each for each in samples if each.image.extension != "jpg"]
    try:
        images = [] if others else decode(samples)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError:
        images = []
    if images:
        return [_expect_size(each, image) for each, image in zip(samples, images, strict=True)]
    return [
        DecodeError(f"{each.key}.{each.image.extension}: not a JPEG")
        if each.image.extension != "jpg"
        else decode_one(each)
        for each in samples
    ]


def _expect_size(sample: Sample, image: Tensor) -> Tensor | CorruptShardError:
    if tuple(image.shape[1:]) == (sample.image.size.height, sample.image.size.width):
        return image
    found = f"{image.shape[2]}x{image.shape[1]}"
    return DecodeError(f"{sample.key}.jpg: expected {sample.image.size}, found {found}")


_DECODED = 4
"""Bytes that a pixel takes on the device, with its mask."""


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """One sample on the device.

    Attributes:
        sample: all the rest of it.
        image: uint8 [3, height, width], RGB.
        regions: numbers of the regions that masks were painted of.
        masks: bool [regions, height, width].
        which: number of what the sample is given for, where it is expanded; else None.
        seed: for whatever is left to chance.
    """

    sample: Sample
    image: Tensor
    regions: tuple[int, ...]
    masks: Tensor
    which: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """Samples of a batch, in order."""

    samples: Sequence[DeviceSample]


@dataclass(frozen=True, slots=True)
class _Chosen:
    part: int
    row: int
    sample: Sample
    regions: tuple[int, ...]
    runs: Runs | None
    which: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class DeviceTransform:
    """Decode photos and paint chosen masks on a device."""

    choose: ChooseMasks
    device: Any

    def begin(self, asked: BatchRequest) -> "_Making":
        """Begin a batch."""
        return _Making(self, len(asked))

    def cost(self, asked: BatchRequest) -> int:
        """Bytes of the photos, coded and decoded."""
        return asked.coded_bytes + _DECODED * int(asked.pixels.sum())


class _Making:
    """The threads read and parse; the whole batch then goes to the device at once."""

    def __init__(self, work: DeviceTransform, count: int) -> None:
        self._work = work
        self._made: list[tuple[_Chosen] | None] = [None] * count
        self._losses: SkipTracker | None = None

    def fill(self, raws: RawBatch, reader: Reader) -> None:
        self._losses = reader.skips
        for place, raw in zip(raws.places, raws, strict=True):
            try:
                sample = raw.sample()
                regions = tuple(self._work.choose(sample, raw.seed, raw.which))
                runs = decode_runs(sample, masks_of(sample, regions)) if regions else None
            except DAMAGED as error:
                reader.skips.add(error, raw.part, raw.row)
                continue
            self._made[place] = (
                _Chosen(raw.part, raw.row, sample, regions, runs, raw.which, raw.seed),
            )

    def finish(self) -> DeviceBatch:
        chosen, device = kept(self._made), self._work.device
        images = decode_photos([each.sample for each in chosen], device)
        made = [
            self._finish(each, image, device) for each, image in zip(chosen, images, strict=True)
        ]
        return DeviceBatch(kept(made))

    def _finish(
        self, chosen: _Chosen, image: Tensor | CorruptShardError, device: Any
    ) -> tuple[DeviceSample] | None:
        if isinstance(image, CorruptShardError):
            if self._losses is None:
                raise image
            self._losses.add(image, chosen.part, chosen.row)
            return None
        masks = _paint(chosen, device)
        sample = DeviceSample(
            chosen.sample, image, chosen.regions, masks, chosen.which, chosen.seed
        )
        return (sample,)


def paint_runs(runs: Runs, device: Any) -> Tensor:
    """Masks as bool [masks, height, width], made on the device of the run lengths alone.

    A mark is set where a run begins; how many marks stand up to a pixel, odd or even, is its value.

    Args:
        runs: as `rle.decode_counts` gives them: none is empty but the first of a mask.
        device: to paint on.
    """
    size, masks = runs.size, len(runs)
    area = size.height * size.width
    lengths = torch.from_numpy(runs.lengths.astype(np.int64)).to(device)
    # All masks stand in one row; the first run of each is of 0s and marks nothing.
    starts = torch.cumsum(lengths, 0) - lengths
    first = torch.from_numpy(np.concatenate(([0], runs.ends[:-1]))).to(device)
    toggles = torch.zeros(masks * area, dtype=torch.uint8, device=device)
    keep = torch.ones(len(lengths), dtype=torch.bool, device=device)
    keep[first] = False
    toggles[starts[keep]] = 1
    columns = torch.cumsum(toggles.view(masks, area), 1, dtype=torch.uint8) & 1
    return columns.bool().view(masks, size.width, size.height).transpose(1, 2).contiguous()


def letterbox(
    images: Sequence[Tensor], side: int, mean: Sequence[float], std: Sequence[float]
) -> tuple[Tensor, list[Size]]:
    """Photos at one longest side, normalised, and padded with 0 at the right and the bottom.

    Args:
        images: uint8 [3, height, width] each.
        side: of the square.
        mean: of each channel, in levels of 0 to 255.
        std: of each channel.

    Returns:
        float32 [images, 3, side, side], and the size of each photo in its square.
    """
    device = images[0].device
    centre = torch.tensor(mean, device=device).view(3, 1, 1)
    scale = torch.tensor(std, device=device).view(3, 1, 1)
    squares, sizes = [], []
    for image in images:
        factor = side / max(image.shape[1:])
        size = Size(*(max(1, int(edge * factor + 0.5)) for edge in image.shape[1:]))
        resized = interpolate(
            image[None].float(), (size.height, size.width), mode="bilinear", antialias=True
        )[0]
        normal = (resized.round().clamp(0, 255) - centre) / scale
        squares.append(pad(normal, (0, side - size.width, 0, side - size.height)))
        sizes.append(size)
    return torch.stack(squares), sizes


def _paint(chosen: _Chosen, device: Any) -> Tensor:
    size = chosen.sample.image.size
    if chosen.runs is None:
        return torch.zeros((0, size.height, size.width), dtype=torch.bool, device=device)
    return paint_runs(chosen.runs, device)
