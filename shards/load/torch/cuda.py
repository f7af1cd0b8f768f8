"""Photos decoded and masks painted on a GPU.

nvJPEG decodes photos through torchvision, a batch at a time. Masks go to the GPU as run lengths and
become pixels by a running sum. Masks equal those of `shards.load.transforms`; photos differ by a
few levels, because nvJPEG rounds differently.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

from shards.errors import CorruptShardError, DecodeError, LoadError
from shards.load.reading.batch import BatchRequest, RawBatch
from shards.load.reading.reader import DAMAGED, Reader, SkipTracker
from shards.load.transforms import ChooseMasks, drop_skipped
from shards.pixels import decode_runs, masks_of
from shards.rle import Runs
from shards.sample import Sample, Size

Tensor = Any
"""`torch.Tensor`; torch has no types here."""


def decode_photos(samples: Sequence[Sample], device: Any) -> list[Tensor | CorruptShardError]:
    """Photos as uint8 [3, height, width] each, on the device; for a damaged one, its error.

    All photos are decoded at once. If that fails, they are decoded one by one: the decoder does not
    say which of a batch is damaged.

    Raises:
        LoadError: if torchvision is missing, or was built without nvJPEG.
    """
    decode = _import_decoder(device)
    if samples and all(each.image.extension == "jpg" for each in samples):
        try:
            images = decode(samples)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:  # at least one is damaged
            pass
        else:
            return [_expect_size(each, image) for each, image in zip(samples, images, strict=True)]
    return [_decode_one(each, decode) for each in samples]


def _import_decoder(device: Any) -> Callable[[Sequence[Sample]], list[Tensor]]:
    try:
        from torchvision.io import ImageReadMode, decode_jpeg
    except (ImportError, RuntimeError) as error:
        raise LoadError(
            f"decode='cuda' needs torchvision with nvJPEG ({error}): install the torchvision that "
            f"fits your torch and CUDA, or take decode='cpu'"
        ) from error

    def decode(samples: Sequence[Sample]) -> list[Tensor]:
        coded = [
            torch.frombuffer(bytearray(each.image.data), dtype=torch.uint8) for each in samples
        ]
        images: list[Tensor] = decode_jpeg(coded, mode=ImageReadMode.RGB, device=device)
        return images

    return decode


def _decode_one(
    sample: Sample, decode: Callable[[Sequence[Sample]], list[Tensor]]
) -> Tensor | CorruptShardError:
    if sample.image.extension != "jpg":
        return DecodeError(f"{sample.key}.{sample.image.extension}: not a JPEG")
    try:
        return _expect_size(sample, decode([sample])[0])
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        return DecodeError(f"{sample.key}.jpg: {error}")


def _expect_size(sample: Sample, image: Tensor) -> Tensor | CorruptShardError:
    if tuple(image.shape[1:]) == (sample.image.size.height, sample.image.size.width):
        return image
    found = f"{image.shape[2]}x{image.shape[1]}"
    return DecodeError(f"{sample.key}.jpg: expected {sample.image.size}, found {found}")


_DECODED = 4
"""Bytes of a pixel on the device, with its mask."""


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """One sample on the device.

    Attributes:
        sample: its annotations and everything else that is stored.
        image: uint8 [3, height, width], RGB.
        regions: indexes of the regions whose masks are painted.
        masks: bool [regions, height, width].
        item_index: with `expand`, the number of the caption, phrase... that this is about; else
            None.
        seed: 64 random bits of this example.
    """

    sample: Sample
    image: Tensor
    regions: tuple[int, ...]
    masks: Tensor
    item_index: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """Samples of a batch, in order."""

    samples: Sequence[DeviceSample]


@dataclass(frozen=True, slots=True)
class _ParsedSample:
    dataset_index: int
    row: int
    sample: Sample
    regions: tuple[int, ...]
    runs: Runs | None
    item_index: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class DeviceTransform:
    """Decodes photos and paints chosen masks on a device."""

    choose: ChooseMasks
    device: Any

    def begin(self, request: BatchRequest) -> "_DeviceBuilder":
        """Start a batch."""
        return _DeviceBuilder(self, len(request))

    def cost(self, request: BatchRequest) -> int:
        """Bytes of the photos, coded and decoded."""
        return request.coded_bytes + _DECODED * int(request.pixels.sum())


class _DeviceBuilder:
    """The threads read and parse; then the whole batch goes to the device at once."""

    def __init__(self, transform: DeviceTransform, count: int) -> None:
        self._transform = transform
        self._parsed: list[tuple[_ParsedSample] | None] = [None] * count
        self._skips: SkipTracker | None = None

    def decode(self, raws: RawBatch, reader: Reader) -> None:
        self._skips = reader.skips
        for position, raw in zip(raws.positions, raws, strict=True):
            try:
                sample = raw.sample()
                regions = tuple(self._transform.choose(sample, raw.seed, raw.item_index))
                runs = decode_runs(sample, masks_of(sample, regions)) if regions else None
            except DAMAGED as error:
                reader.skips.skip(error, raw.dataset_index, raw.row)
                continue
            self._parsed[position] = (
                _ParsedSample(
                    raw.dataset_index, raw.row, sample, regions, runs, raw.item_index, raw.seed
                ),
            )

    def collate(self) -> DeviceBatch:
        parsed, device = drop_skipped(self._parsed), self._transform.device
        images = decode_photos([each.sample for each in parsed], device)
        samples = [
            self._finish(each, image, device) for each, image in zip(parsed, images, strict=True)
        ]
        return DeviceBatch(drop_skipped(samples))

    def _finish(
        self, parsed: _ParsedSample, image: Tensor | CorruptShardError, device: Any
    ) -> tuple[DeviceSample] | None:
        if isinstance(image, CorruptShardError):
            if self._skips is None:
                raise image
            self._skips.skip(image, parsed.dataset_index, parsed.row)
            return None
        sample = DeviceSample(
            parsed.sample,
            image,
            parsed.regions,
            _paint(parsed, device),
            parsed.item_index,
            parsed.seed,
        )
        return (sample,)


def paint_runs(runs: Runs, device: Any) -> Tensor:
    """Masks as bool [masks, height, width], painted on the device from their run lengths.

    Each run sets a mark at its first pixel. A pixel is set if the number of marks up to it is odd.

    Args:
        runs: as `rle.decode_counts` gives them: only the first run of a mask may be empty.
        device: to paint on.
    """
    size, masks = runs.size, len(runs)
    area = size.height * size.width
    lengths = torch.from_numpy(runs.lengths.astype(np.int64)).to(device)
    # All masks are in one row. The first run of each is of zeros and sets no mark.
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
    """Photos scaled to one longest side, normalised, and padded with 0 at the right and bottom.

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


def _paint(parsed: _ParsedSample, device: Any) -> Tensor:
    size = parsed.sample.image.size
    if parsed.runs is None:
        return torch.zeros((0, size.height, size.width), dtype=torch.bool, device=device)
    return paint_runs(parsed.runs, device)
