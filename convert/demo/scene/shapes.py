"""The shapes of things, each with a recognisable silhouette."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from convert.demo.scene.outline import Detail, Points, arc, block, chain, lathe, points, rotate

_DARK = (58.0, 48.0, 44.0)
_CREAM = (240.0, 232.0, 208.0)
_LEAFY = (86.0, 128.0, 62.0)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One kind of thing, in the unit square.

    Attributes:
        aspect: width over height.
        rings: the silhouette is their union.
        light: shading of a ball, a tube or a flat thing.
        floats: whether it may float.
        convex: whether it is one convex ring; a post in front of it then leaves two rings.
        tall: its height, as a fraction of the tallest thing's.
    """

    aspect: float
    rings: tuple[Points, ...]
    details: tuple[Detail, ...] = ()
    light: Literal["ball", "tube", "flat"] = "flat"
    floats: bool = False
    convex: bool = False
    tall: float = 1.0


def _star() -> Points:
    angles = np.radians(np.arange(10) * 36 - 90)
    radii = np.where(np.arange(10) % 2, 0.23, 0.52)
    return np.stack((0.5 + radii * np.cos(angles), 0.54 + radii * np.sin(angles)), axis=1)


def _facets(star: Points) -> tuple[Detail, ...]:
    middle = (0.5, 0.54)
    pairs = zip(star[0::2], np.roll(star, 1, axis=0)[0::2], strict=True)
    return tuple(Detail(np.array((middle, tip, dent)), 0.8) for tip, dent in pairs)


def _leaf(tilt: float) -> tuple[tuple[Points, ...], tuple[Detail, ...]]:
    blade = chain(arc(0.86, 0.43, 0.68, 0.5, 122, 238), arc(0.14, 0.43, 0.68, 0.5, -58, 58))
    stem = points((0.475, 0.8), (0.525, 0.8), (0.53, 1.0), (0.48, 1.0))
    vein = points((0.5, 0.06), (0.518, 0.86), (0.482, 0.86))
    sides = [
        points((0.5, y), (0.5 + dx, y - 0.14), (0.5 + dx, y - 0.125), (0.5, y + 0.03))
        for y in (0.34, 0.5, 0.66)
        for dx in (-0.13, 0.13)
    ]
    rings = tuple(rotate(ring, tilt) for ring in (blade, stem))
    return rings, tuple(Detail(rotate(ring, tilt), 0.72) for ring in (vein, *sides))


def _mug() -> Shape:
    body = chain(arc(0.4, 0.12, 0.37, 0.09, 180, 360), arc(0.4, 0.9, 0.33, 0.1, 0, 180))
    handle = chain(arc(0.72, 0.47, 0.27, 0.28, -100, 100), arc(0.72, 0.47, 0.16, 0.17, 100, -100))
    band = chain(arc(0.4, 0.62, 0.355, 0.08, 180, 0), arc(0.4, 0.74, 0.345, 0.08, 0, 180))
    details = (
        Detail(arc(0.4, 0.125, 0.345, 0.075), 0.5),
        Detail(arc(0.4, 0.15, 0.3, 0.045), 1.0, (92.0, 62.0, 44.0)),
        Detail(band, 1.25),
    )
    return Shape(1.0, (body, handle), details, "tube", tall=0.72)


def _lamp() -> Shape:
    shade = points((0.27, 0.02), (0.73, 0.02), (0.97, 0.46), (0.03, 0.46))
    stand = chain(
        points((0.54, 0.42), (0.54, 0.84)), arc(0.5, 0.96, 0.27, 0.09, -80, 0),
        points((0.77, 1.0), (0.23, 1.0)), arc(0.5, 0.96, 0.27, 0.09, 180, 260),
        points((0.46, 0.84), (0.46, 0.42)),
    )  # fmt: skip
    details = (
        Detail(block(0.2, 0.461, 0.8, 1.0), 1.0, _DARK),
        Detail(points((0.4, 0.02), (0.6, 0.02), (0.72, 0.46), (0.28, 0.46)), 1.2),
        Detail(points((0.05, 0.42), (0.95, 0.42), (0.97, 0.46), (0.03, 0.46)), 0.7),
    )
    return Shape(0.66, (shade, stand), details, "flat")


def _book() -> Shape:
    cover = points((0.16, 0.0), (1.0, 0.07), (1.0, 0.93), (0.16, 1.0), (0.0, 0.95), (0.0, 0.05))
    details = (
        Detail(points((0.16, 0.0), (0.16, 1.0), (0.0, 0.95), (0.0, 0.05)), 0.62),
        Detail(points((0.3, 0.2), (0.86, 0.22), (0.86, 0.4), (0.3, 0.4)), 1.0, _CREAM),
        Detail(points((0.38, 0.26), (0.78, 0.27), (0.78, 0.33), (0.38, 0.33)), 1.0, _DARK),
        Detail(points((0.3, 0.7), (0.86, 0.69), (0.86, 0.73), (0.3, 0.75)), 1.35),
    )
    return Shape(0.74, (cover,), details, convex=True, tall=0.9)


def _box() -> Shape:
    outline = points((0.36, 0.0), (1.0, 0.1), (1.0, 0.8), (0.66, 1.0), (0.0, 0.88), (0.0, 0.18))
    details = (
        Detail(points((0.36, 0.0), (1.0, 0.1), (0.66, 0.3), (0.0, 0.18)), 1.28),
        Detail(points((1.0, 0.1), (1.0, 0.8), (0.66, 1.0), (0.66, 0.3)), 0.66),
        Detail(points((0.27, 0.23), (0.39, 0.252), (0.75, 0.061), (0.63, 0.042)), 1.0, _CREAM),
        Detail(points((0.27, 0.23), (0.39, 0.252), (0.39, 0.46), (0.27, 0.438)), 0.9, _CREAM),
    )
    return Shape(1.08, (outline,), details, convex=True, tall=0.85)


def _umbrella() -> Shape:
    hems = [arc(0.5 + dx, 0.56, 0.165, 0.07, 0, -180) for dx in (0.33, 0.0, -0.33)]
    canopy = chain(arc(0.5, 0.56, 0.495, 0.52, 180, 360), *hems)
    stick = points((0.48, 0.4), (0.52, 0.4), (0.52, 0.9), (0.48, 0.9))
    hook = chain(arc(0.42, 0.9, 0.1, 0.1, 0, 180), arc(0.42, 0.9, 0.06, 0.06, 180, 0))
    details = (
        Detail(block(0.3, 0.57, 0.7, 1.0), 1.0, _DARK),
        Detail(points((0.5, 0.04), (0.67, 0.54), (0.6, 0.49), (0.4, 0.49), (0.33, 0.54)), 1.2),
        Detail(points((0.5, 0.04), (0.995, 0.56), (0.9, 0.5), (0.72, 0.52)), 0.75),
    )
    return Shape(1.0, (canopy, stick, hook), details, floats=False)


def _kite() -> Shape:
    sail = points((0.5, 0.0), (0.94, 0.3), (0.5, 0.74), (0.06, 0.3))
    tail = points(
        (0.48, 0.72), (0.52, 0.72), (0.56, 0.8), (0.68, 0.78), (0.66, 0.86), (0.56, 0.84),
        (0.47, 0.9), (0.5, 1.0), (0.38, 0.96), (0.43, 0.89), (0.51, 0.81),
    )  # fmt: skip
    details = (
        Detail(points((0.5, 0.0), (0.94, 0.3), (0.5, 0.3)), 1.3),
        Detail(points((0.06, 0.3), (0.5, 0.3), (0.5, 0.74)), 0.72),
        Detail(points((0.06, 0.29), (0.94, 0.29), (0.94, 0.305), (0.06, 0.305)), 1.0, _DARK),
        Detail(block(0.493, 0.0, 0.507, 0.74), 1.0, _DARK),
    )
    return Shape(0.78, (sail, tail), details, floats=True)


def _bottle() -> Shape:
    profile = ((0, 0.13), (0.1, 0.13), (0.2, 0.13), (0.32, 0.16), (0.42, 0.42), (0.55, 0.47),
               (0.75, 0.47), (0.97, 0.47), (1.0, 0.42))  # fmt: skip
    details = (
        Detail(block(0.3, 0.0, 0.7, 0.09), 1.0, _DARK),
        Detail(block(0.0, 0.56, 1.0, 0.84), 1.0, _CREAM),
        Detail(block(0.0, 0.62, 1.0, 0.66), 0.8),
    )
    return Shape(0.4, (lathe(profile),), details, "tube")


def _vase() -> Shape:
    profile = ((0.0, 0.3), (0.06, 0.3), (0.16, 0.17), (0.28, 0.2), (0.45, 0.48), (0.62, 0.5),
               (0.82, 0.34), (0.95, 0.27), (1.0, 0.3))  # fmt: skip
    zigzag = [(x / 10, 0.46 + 0.09 * (x % 2)) for x in range(11)]
    band = points(*zigzag, *((x, y + 0.07) for x, y in reversed(zigzag)))
    details = (Detail(arc(0.5, 0.025, 0.24, 0.018), 0.45), Detail(band, 1.0, _CREAM))
    return Shape(0.66, (lathe(profile),), details, "tube")


def _pear() -> Shape:
    profile = ((0.1, 0.1), (0.16, 0.16), (0.3, 0.22), (0.45, 0.34), (0.6, 0.48), (0.78, 0.5),
               (0.92, 0.38), (1.0, 0.16))  # fmt: skip
    stem = points((0.47, 0.14), (0.5, 0.0), (0.57, 0.0), (0.54, 0.14))
    leaf = rotate(
        chain(arc(0.7, 0.16, 0.17, 0.17, 200, 340), arc(0.7, 0.05, 0.17, 0.17, 20, 160)), -14
    )
    details = (Detail(block(0.44, 0.0, 0.575, 0.115), 1.0, _DARK), Detail(leaf, 1.0, _LEAFY))
    return Shape(0.72, (lathe(profile), stem, leaf), details, "ball", tall=0.68)


def _ball() -> Shape:
    stripe = chain(arc(0.5, 0.36, 0.56, 0.2, 180, 0), arc(0.5, 0.56, 0.56, 0.2, 0, 180))
    return Shape(
        1.0, (arc(0.5, 0.5, 0.5, 0.5),), (Detail(stripe, 1.0, _CREAM),), "ball", convex=True
    )


def _balloon() -> Shape:
    skin = chain(
        arc(0.5, 0.44, 0.48, 0.44, 110, 430),
        points((0.56, 0.92), (0.6, 1.0), (0.4, 1.0), (0.44, 0.92)),
    )
    return Shape(0.8, (skin,), (Detail(block(0.38, 0.925, 0.62, 1.0), 0.7),), "ball", floats=True)


_LEAF_RINGS, _LEAF_VEINS = _leaf(24)
_STAR = _star()

SHAPES: dict[str, Shape] = {
    "ball": _ball(),
    "balloon": _balloon(),
    "book": _book(),
    "bottle": _bottle(),
    "box": _box(),
    "kite": _kite(),
    "lamp": _lamp(),
    "leaf": Shape(0.9, _LEAF_RINGS, _LEAF_VEINS, "flat", floats=True),
    "mug": _mug(),
    "pear": _pear(),
    "star": Shape(1.0, (_STAR,), _facets(_STAR), "flat", floats=True),
    "umbrella": _umbrella(),
    "vase": _vase(),
}
