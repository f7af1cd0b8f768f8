"""JPEGs decoded on a GPU, a batch at a time, by torchvision."""

from collections.abc import Sequence
from typing import Any

import torch

from shards.errors import CorruptShardError, LoadError
from shards.sample import Sample

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
            return CorruptShardError(f"{sample.key}.jpg: {error}")

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
        CorruptShardError(f"{each.key}.{each.image.extension}: not a JPEG")
        if each.image.extension != "jpg"
        else decode_one(each)
        for each in samples
    ]


def _expect_size(sample: Sample, image: Tensor) -> Tensor | CorruptShardError:
    if tuple(image.shape[1:]) == (sample.image.size.height, sample.image.size.width):
        return image
    found = f"{image.shape[2]}x{image.shape[1]}"
    return CorruptShardError(f"{sample.key}.jpg: expected {sample.image.size}, found {found}")
