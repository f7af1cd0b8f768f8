"""Outlines in the unit square: x to the right, y down, the ground at y = 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""[n, 2]: x, y of a closed outline."""
FloatColour = tuple[float, float, float]
"""Red, green, blue in 0..255."""


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """A part that is painted darker, lighter, or in a colour of its own."""

    outline: Points
    shade: float = 1.0
    colour: FloatColour | None = None


def points(*pairs: tuple[float, float]) -> Points:
    """An outline with corners."""
    return np.array(pairs, np.float64)


def block(x0: float, y0: float, x1: float, y1: float) -> Points:
    """An upright rectangle."""
    return points((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def arc(  # noqa: PLR0913, PLR0917 - an arc has that many numbers
    x: float, y: float, rx: float, ry: float, start: float = 0.0, stop: float = 360.0
) -> Points:
    """Part of an ellipse, from `start` to `stop` in degrees, clockwise from the right."""
    closed = abs(stop - start) >= 360  # noqa: PLR2004
    angles = np.radians(np.linspace(start, stop, 40, endpoint=not closed))
    return np.stack((x + rx * np.cos(angles), y + ry * np.sin(angles)), axis=1)


def chain(*parts: Points) -> Points:
    """One outline along several curves."""
    return np.concatenate(parts)


def lathe(profile: Sequence[tuple[float, float]]) -> Points:
    """The outline of a solid of revolution around x = 0.5 with a smooth profile of (y, radius)."""
    heights, radii = np.array(profile, np.float64).T
    steps = np.arange(len(heights))
    fine = np.linspace(0, len(heights) - 1, 8 * len(heights))
    y = np.interp(fine, steps, heights)
    radius = np.interp(fine, steps, radii)
    soft = np.convolve(np.pad(radius, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    right = np.stack((0.5 + soft, y), axis=1)
    left = np.stack((0.5 - soft, y), axis=1)[::-1]
    return np.concatenate((right, left))


def rotate(outline: Points, degrees: float, x: float = 0.5, y: float = 0.5) -> Points:
    """The outline rotated clockwise around a point."""
    angle = np.radians(degrees)
    matrix = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
    rotated: Points = (outline - (x, y)) @ matrix + (x, y)
    return rotated


def cut(outline: Points, x: float, side: int) -> Points:
    """The part of a convex outline left (-1) or right (1) of a vertical line.

    >>> cut(block(0, 0, 4, 1), 1, -1).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    """
    inside: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if (x0 - x) * side >= 0:
            inside.append((x0, y0))
        if (x0 - x) * (x1 - x) < 0:
            inside.append((x, y0 + (y1 - y0) * (x - x0) / (x1 - x0)))
    return np.array(inside, np.float64).reshape(-1, 2)
