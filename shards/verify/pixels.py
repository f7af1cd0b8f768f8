"""Whether a sample's photo, masks and label map decode, and fit each other."""

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from shards import rle
from shards.errors import MaskError
from shards.sample import Sample, Size
from shards.tar import Entry

_IGNORE = 255


def look_at_pixels(
    sample: Sample, entry: Entry, classes: Mapping[int, str]
) -> Iterator[tuple[int, str]]:
    """(offset, problem) of everything that is wrong."""
    size = sample.image.size
    image, *rest = entry.members
    try:
        found = _decode(sample.image.data, "RGB")
        if found.shape != (size.height, size.width, 3):
            yield image.offset, f"its photo is {found.shape}, its annotations say {size}"
    except OSError as error:
        yield image.offset, f"its photo does not decode: {error}"
    masks = [region.mask.counts for region in sample.regions if region.mask is not None]
    try:
        rle.parse(masks, size)
    except MaskError as error:
        yield rest[-1].offset, str(error)
    if sample.labels is not None:
        for problem in _look_at_labels(sample.labels.png, sample.labels.classes, size, classes):
            yield rest[0].offset, problem


def _look_at_labels(
    png: bytes, said: tuple[int, ...], size: Size, classes: Mapping[int, str]
) -> Iterator[str]:
    try:
        ids = _decode(png, "L")
    except OSError as error:
        yield f"its label map does not decode: {error}"
        return
    if ids.shape != (size.height, size.width):
        yield f"its label map is {ids.shape}, its photo {size}"
    present = tuple(sorted(set(np.unique(ids).tolist()) - {_IGNORE}))
    if present != said:
        yield f"its label map holds the classes {present}, its annotations say {said}"
    unknown = set(present) - classes.keys()
    if unknown:
        yield f"its label map holds {sorted(unknown)}, which classes.json lacks"


def _decode(data: bytes, mode: str) -> NDArray[np.uint8]:
    """The pixels of an image of that mode.

    Raises:
        OSError: if it does not decode, or is of another mode.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            if image.mode != mode:
                raise OSError(f"of mode {image.mode}, not {mode}")
            return np.asarray(image)
    except (SyntaxError, ValueError, EOFError) as error:
        raise OSError(str(error)) from error
