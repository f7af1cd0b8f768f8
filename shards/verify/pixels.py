"""Checks that a sample's photo, masks and label map decode and match its annotations."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from shards.errors import DecodeError
from shards.pixels import decode_labels, decode_photo, decode_runs
from shards.sample import Sample
from shards.tar import Entry

_IGNORE = 255


def check_pixels(
    sample: Sample, entry: Entry, classes: Mapping[int, str]
) -> Iterator[tuple[int, str]]:
    """(offset, problem) of everything that is wrong.

    Args:
        sample: to decode.
        entry: its position in the tar.
        classes: id -> name of the classes of its split.
    """
    image, *others = entry.members
    try:
        decode_photo(sample)
    except DecodeError as error:
        yield image.offset, str(error)
    try:
        decode_runs(sample, [region.mask for region in sample.regions if region.mask is not None])
    except DecodeError as error:
        yield others[-1].offset, str(error)
    if sample.labels is not None:
        try:
            ids = decode_labels(sample)
        except DecodeError as error:
            yield others[0].offset, str(error)
        else:
            for problem in _check_classes(ids, sample.labels.classes, classes):
                yield others[0].offset, f"{sample.key}: {problem}"


def _check_classes(
    ids: NDArray[np.uint8], listed: tuple[int, ...], classes: Mapping[int, str]
) -> Iterator[str]:
    present = tuple(sorted(set(np.unique(ids).tolist()) - {_IGNORE}))
    if present != listed:
        yield f"its label map holds the classes {present}, its annotations list {listed}"
    unknown = set(present) - classes.keys()
    if unknown:
        yield f"its label map holds {sorted(unknown)}, which classes.json lacks"
