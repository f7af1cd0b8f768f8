"""Settings of scenes: the surfaces behind the things, back to front."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from convert.demo.scene.outline import Detail, FloatColour, Points, block, chain, points


@dataclass(frozen=True, slots=True)
class Material:
    """The texture of a surface.

    Attributes:
        rough: strength of the texture.
        streaks: (x, y) stretch of the grain; (1, 1) is isotropic.
    """

    rough: float
    streaks: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A background area, in fractions of the photo's width and height.

    Attributes:
        name: in captions.
        upper: colour at its top.
        lower: colour at its bottom.
    """

    name: str
    outline: Points
    upper: FloatColour
    lower: FloatColour
    material: Material
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A line on which things stand, or at which they float.

    Attributes:
        base: bottom of the things, as a fraction of the photo's height.
        tall: height of the tallest thing, as a fraction of the photo's height.
        place: in captions.
        airy: whether things float here.
    """

    base: float
    tall: float
    place: str
    airy: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of place."""

    name: str
    surfaces: tuple[Surface, ...]
    rows: tuple[Row, ...]


_WALLS: tuple[FloatColour, ...] = (
    (176, 196, 190), (222, 208, 182), (206, 176, 168), (170, 184, 204), (196, 198, 178),
)  # fmt: skip
_WOOD: tuple[FloatColour, ...] = ((150, 108, 74), (122, 86, 60), (176, 138, 98))
_PLASTER, _PLANK = Material(0.05), Material(0.13, (14, 1))
_AIR, _GRASS, _SAND = Material(0.02), Material(0.2, (1, 3)), Material(0.1)
_WATER, _SLOPE = Material(0.09, (10, 1)), Material(0.12)


def _scaled(colour: FloatColour, factor: float) -> FloatColour:
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue


def _pick(rng: Generator, colours: tuple[FloatColour, ...]) -> FloatColour:
    return colours[int(rng.integers(len(colours)))]


def room(rng: Generator, *, levels: int) -> Setting:
    """A wall with shelves above a wooden floor."""
    paint, wood = _pick(rng, _WALLS), _pick(rng, _WOOD)
    skirting = 0.7 + 0.04 * float(rng.random())
    tops = (0.4,) if levels == 1 else (0.28, 0.55)
    planks = [
        Surface("shelf", block(0, top, 1, top + 0.035), _scaled(wood, 1.25), _scaled(wood, 0.8),
                _PLANK, (Detail(block(0, top + 0.022, 1, top + 0.035), 0.6),))
        for top in tops
    ]  # fmt: skip
    edge = (
        Detail(block(0, skirting - 0.035, 1, skirting), 1.12),
        *(Detail(block(0, top + 0.035, 1, top + 0.075), 0.84) for top in tops),
    )
    wall = Surface("wall", block(0, 0, 1, skirting), _scaled(paint, 1.08), paint, _PLASTER, edge)
    floor = Surface("floor", block(0, skirting, 1, 1), _scaled(wood, 0.85), _scaled(wood, 1.2),
                    _PLANK, _seams(skirting, float(rng.uniform(0.3, 0.7))))  # fmt: skip
    rows = [Row(top + 0.008, tops[0] * 0.8, "on the shelf") for top in tops]
    below = 0.93 - tops[-1] - 0.1
    return Setting("room", (wall, floor, *planks), (*rows, Row(0.93, below, "on the floor")))


def _seams(top: float, vanish: float) -> tuple[Detail, ...]:
    """Joints between floor boards, running to one point."""
    lines = []
    for foot in np.arange(-1.2, 2.4, 0.24):
        head = vanish + (foot - vanish) * 0.45
        lines.append(points((head, top), (head + 0.003, top), (foot + 0.009, 1), (foot, 1)))
    return tuple(Detail(line, 0.72) for line in lines)


def _clouds(rng: Generator) -> tuple[Detail, ...]:
    puffs = []
    for _ in range(int(rng.integers(2, 5))):
        x, y, r = rng.uniform(0, 1), rng.uniform(0.04, 0.3), rng.uniform(0.03, 0.06)
        for dx, dy, scale in ((0, 0, 1), (-1.1, 0.25, 0.75), (1.15, 0.2, 0.8), (0.3, 0.3, 1.2)):
            angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
            puff = np.stack((x + dx * r + r * scale * np.cos(angles),
                             y + dy * r + 0.7 * r * scale * np.sin(angles)), axis=1)  # fmt: skip
            puffs.append(Detail(puff, 1.0, (246.0, 247.0, 250.0)))
    return tuple(puffs)


def _sky(rng: Generator, bottom: float) -> Surface:
    blue = _pick(rng, ((96, 150, 208), (120, 170, 216), (140, 164, 190)))
    return Surface("sky", block(0, 0, 1, bottom), blue, (206, 222, 232), _AIR, _clouds(rng))


def meadow(rng: Generator, *, levels: int) -> Setting:
    """Grass before hills, and things in the air."""
    horizon = 0.62 + 0.05 * float(rng.random())
    x = np.linspace(0, 1, 40)
    phase, waves = rng.uniform(0, 6), rng.uniform(5, 9)
    ridge = np.stack((x, horizon - 0.07 - 0.045 * np.sin(waves * x + phase)), axis=1)
    hill = Surface("hill", chain(ridge, points((1, horizon), (0, horizon))), (116, 146, 120),
                   (92, 130, 84), _SLOPE)  # fmt: skip
    grass = Surface("grass", block(0, horizon, 1, 1), (92, 138, 62), (122, 164, 70), _GRASS)
    rows = _air_rows(levels)
    ground = Row(0.92, 0.34, "on the grass")
    return Setting("meadow", (_sky(rng, horizon), hill, grass), (*rows, ground))


def beach(rng: Generator, *, levels: int) -> Setting:
    """Sand before the sea, and things in the air."""
    shore = 0.68 + 0.04 * float(rng.random())
    x = np.linspace(0, 1, 30)
    wet = np.stack((x, shore + 0.014 * np.sin(9 * x + rng.uniform(0, 6))), axis=1)
    sea = Surface("sea", block(0, 0.56, 1, shore + 0.02), (70, 122, 150), (112, 168, 178), _WATER)
    foam = Detail(chain(wet, (wet + np.array((0, 0.012)))[::-1]), 1.0, (240.0, 242.0, 238.0))
    sand = Surface("sand", chain(wet, points((1, 1), (0, 1))), (206, 182, 136), (226, 204, 160),
                   _SAND, (foam,))  # fmt: skip
    rows = _air_rows(levels)
    ground = Row(0.93, 0.34, "on the sand")
    return Setting("beach", (_sky(rng, 0.58), sea, sand), (*rows, ground))


def _air_rows(levels: int) -> tuple[Row, ...]:
    if levels == 1:
        return (Row(0.47, 0.36, "in the sky", airy=True),)
    return tuple(Row(base, 0.22, "in the sky", airy=True) for base in (0.27, 0.52))
