"""The pixels of one sample, decoded and painted into memory that is given.

Needs simplejpeg, and Pillow for label maps and photos that are not JPEGs.
"""

import io
from collections.abc import Sequence

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shards import rle
from shards.errors import CorruptShardError, MaskError
from shards.sample import Sample

Bytes = NDArray[np.uint8]


def decode_photo(sample: Sample, image: Bytes) -> None:
    """Decode a sample's photo.

    Args:
        sample: its owner.
        image: uint8 [height, width, 3], contiguous, of the stored size; RGB is written to it.

    Raises:
        CorruptShardError: naming the sample, if it is damaged or of another size.
    """
    data = sample.image.data
    try:
        if sample.image.extension == "jpg":
            decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=image)
        else:
            decoded = _open(data, "RGB")
            image[:] = decoded
    except (ValueError, OSError, SyntaxError) as error:
        raise CorruptShardError(
            f"{sample.key}.{sample.image.extension}: expected a photo of {sample.image.size}: "
            f"{error}; `python -m shards.verify --deep` tells more"
        ) from error
    if decoded.shape != image.shape:
        raise CorruptShardError(
            f"{sample.key}.{sample.image.extension}: expected a photo of {sample.image.size}, "
            f"found {decoded.shape[1]}x{decoded.shape[0]}"
        )


def decode_labels(sample: Sample) -> Bytes:
    """The label map of a sample that has one: uint8 [height, width].

    Raises:
        CorruptShardError: naming the sample, if it is damaged.
    """
    if sample.labels is None:
        raise CorruptShardError(f"{sample.key}: has no label map")
    try:
        return _open(sample.labels.png, "L")
    except (ValueError, OSError, SyntaxError) as error:
        raise CorruptShardError(f"{sample.key}.labels.png: {error}") from error


def paint_masks(sample: Sample, regions: Sequence[int], out: NDArray[np.bool_]) -> None:
    """Paint the masks of some regions into bool [regions, height, width].

    Raises:
        MaskError: naming the sample, if a region has none, or its counts are damaged.
    """
    counts = []
    for number in regions:
        mask = sample.regions[number].mask
        if mask is None:
            raise MaskError(f"{sample.key}: region {number} has no mask")
        counts.append(mask.counts)
    if counts:
        try:
            rle.paint(rle.parse(counts, sample.image.size), out)
        except MaskError as error:
            raise MaskError(f"{sample.key}: {error}") from error


def _open(data: bytes, mode: str) -> Bytes:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if image.mode != mode:
            raise ValueError(f"an image of mode {image.mode}, expected {mode}")
        return np.asarray(image)
