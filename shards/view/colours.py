"""The colours of regions and classes, in the photo and in the texts."""

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shards.sample import Region

Colour = tuple[int, int, int]

WHITE, BLACK, GREY = (255, 255, 255), (25, 25, 25), (112, 112, 112)
PALETTE: tuple[Colour, ...] = (
    (214, 31, 38),
    (25, 93, 216),
    (14, 130, 52),
    (150, 40, 180),
    (178, 84, 0),
    (0, 124, 134),
    (218, 21, 120),
    (96, 112, 0),
    (88, 70, 214),
    (120, 66, 40),
    (0, 82, 130),
    (140, 20, 70),
)
"""Far apart in hue, and dark enough to read on white: texts have the colours of their masks."""
IGNORE = 255

_CONTRAST = 4.5
"""Minimum contrast to white: the threshold of WCAG 2 for text of this size."""


def colour_of(rank: int) -> Colour:
    """The colour of the rank-th object of a photo: from the palette first, then computed.

    >>> colour_of(0) == PALETTE[0]
    True
    """
    if rank < len(PALETTE):
        return PALETTE[rank]
    hue = rank * 0.618034 % 1  # the golden ratio: each hue falls into the widest gap so far
    value = 0.9
    while True:
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
        colour = (round(red * 255), round(green * 255), round(blue * 255))
        if contrast_to_white(colour) >= _CONTRAST:
            return colour
        value -= 0.04


def contrast_to_white(colour: Colour) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2, "relative luminance").

    >>> round(contrast_to_white((0, 0, 0)))
    21
    """
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB's own
        for c in (channel / 255 for channel in colour)
    ]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def choose_colours(regions: Sequence[Region]) -> list[Colour]:
    """One colour per region; grey for regions without mask and box."""
    ranks = iter(range(len(regions)))
    return [colour_of(next(ranks)) if is_drawn(region) else GREY for region in regions]


def is_drawn(region: Region) -> bool:
    """Whether a region has a mask or a box to draw."""
    return region.mask is not None or region.box is not None


def measure_classes(labels: NDArray[np.uint8]) -> dict[int, float]:
    """Class id -> fraction of the photo, largest first, without ignored pixels."""
    counts = np.bincount(labels.reshape(-1), minlength=IGNORE + 1)
    ids = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] and i != IGNORE]
    return {i: float(counts[i] / labels.size) for i in ids}
