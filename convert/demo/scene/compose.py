"""A scene: things at known positions, determined by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from convert.demo.scene.outline import Detail, FloatColour, Points, block, cut, rotate
from convert.demo.scene.raster import HeightWidth, Mask, Ring, encode, extents, rasterise
from convert.demo.scene.settings import Material, Setting, Surface, beach, meadow, room
from convert.demo.scene.shapes import SHAPES, Shape

COLOURS: dict[str, FloatColour] = {
    "red": (202, 48, 44), "orange": (236, 128, 36), "yellow": (238, 200, 58),
    "green": (58, 150, 78), "blue": (48, 98, 190), "purple": (124, 74, 164),
    "pink": (238, 142, 170), "white": (236, 234, 226),
}  # fmt: skip
_COPY_KIND, _COPY_COLOUR, _POST = 0.35, 0.3, 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object.

    Attributes:
        rings: its visible outline in pixels, with two decimals; they define its mask.
        frame: x0, y0, x1, y1 of the whole thing, with any part that a post hides.
        place: its position in words.
        details: painted on it, in pixels.
    """

    kind: str
    colour: str
    rings: tuple[Ring, ...]
    frame: tuple[float, float, float, float]
    place: str
    details: tuple[Detail, ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 around the visible part."""
        return extents(self.rings)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything in one photo, in pixels of `size`.

    Attributes:
        posts: in front of the things; their outlines are in fractions of the photo.
    """

    size: HeightWidth
    setting: Setting
    things: tuple[Thing, ...]
    posts: tuple[Surface, ...]

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """The surfaces behind the things, back to front; outlines in fractions of the photo."""
        return self.setting.surfaces

    def masks(self) -> list[Mask]:
        """The mask of each thing."""
        return [rasterise(thing.rings, self.size) for thing in self.things]

    def layers(self) -> NDArray[np.uint8]:
        """Uint8 [height, width]: index in `names` of what is visible at each pixel."""
        visible = np.zeros(self.size, np.uint8)
        flat: list[tuple[Ring, ...]] = [(to_ring(s.outline, self.size),) for s in self.surfaces]
        flat += [thing.rings for thing in self.things]
        flat += [(to_ring(post.outline, self.size),) for post in self.posts]
        for number, rings in enumerate(flat):
            visible[rasterise(rings, self.size).pixels] = number
        return visible

    def names(self) -> list[str]:
        """Names of surfaces, kinds of things and names of posts, in the order of `layers`."""
        things = [thing.kind for thing in self.things]
        return [s.name for s in self.surfaces] + things + [post.name for post in self.posts]

    def surface_mask(self, name: str) -> Mask:
        """The visible part of all surfaces of a name."""
        wanted = [number for number, other in enumerate(self.names()) if other == name]
        return encode(np.isin(self.layers(), wanted))


def to_ring(outline: Points, size: HeightWidth) -> Ring:
    """An outline in fractions of the photo as a ring in pixels."""
    height, width = size
    return as_ring(outline * (width, height))


def as_ring(outline: Points) -> Ring:
    """An outline in pixels as a ring, rounded like COCO's."""
    return tuple(float(number) for number in np.round(outline, 2).reshape(-1))


def draw_scene(rng: Generator, size: HeightWidth, crowd: int = 1) -> Scene:
    """A scene of two to ten things, standing or floating.

    Args:
        rng: decides everything in the scene.
        size: of the photo.
        crowd: factor for the number of things; each then gets a narrower column.
    """
    height, width = size
    upright = height > width
    build = (room, meadow, beach)[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    levels = 2 if upright else 1
    setting = build(rng, levels=levels)
    columns = crowd * (2 if upright else 3 if width < 1.4 * height else 4)
    cells = [(row, column) for row in setting.rows for column in range(columns)]
    filled = [cell for cell in cells if rng.random() < 0.72]  # noqa: PLR2004
    things: list[Thing] = []
    for row, column in filled if len(filled) > 1 else cells[-2:]:
        kind, colour = _choose(rng, things, airy=row.airy)
        low, high = width * column / columns, width * (column + 1) / columns
        frame = _frame(rng, SHAPES[kind], (low, high), height * row.base, height * row.tall)
        tilt = float(rng.uniform(-14, 14)) if row.airy else 0.0
        flip = bool(rng.random() < 0.5)  # noqa: PLR2004
        things.append(_position(kind, colour, frame, row.place, tilt, flip=flip))
    return _raise_post(rng, Scene(size, setting, tuple(things), ()))


def _choose(rng: Generator, others: Sequence[Thing], *, airy: bool) -> tuple[str, str]:
    """Kind and colour, often those of another thing, so that expressions need more words."""
    kinds = [k for k, shape in SHAPES.items() if (shape.floats if airy else k != "kite")]
    fitting = [thing for thing in others if thing.kind in kinds]
    colours = list(COLOURS)
    if fitting and rng.random() < _COPY_KIND:
        twin = fitting[int(rng.integers(len(fitting)))]
        same = rng.random() < _COPY_COLOUR
        return twin.kind, twin.colour if same else colours[int(rng.integers(len(colours)))]
    return kinds[int(rng.integers(len(kinds)))], colours[int(rng.integers(len(colours)))]


def _frame(
    rng: Generator, shape: Shape, span: tuple[float, float], base: float, tall: float
) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a thing in its cell."""
    max_width = 0.84 * (span[1] - span[0])
    high = min(tall * shape.tall * float(rng.uniform(0.7, 1.0)), max_width / shape.aspect)
    wide = high * shape.aspect
    slack = span[1] - span[0] - wide
    x0 = span[0] + slack * float(rng.uniform(0.15, 0.85))
    return x0, base - high, x0 + wide, base


def _position(  # noqa: PLR0913 - what a thing is made of
    kind: str,
    colour: str,
    frame: tuple[float, float, float, float],
    place: str,
    tilt: float,
    *,
    flip: bool,
) -> Thing:
    x0, y0, x1, y1 = frame

    def transform(outline: Points) -> Points:
        mirrored = outline * (-1, 1) + (1, 0) if flip else outline
        placed: Points = mirrored * (x1 - x0, y1 - y0) + (x0, y0)
        return rotate(placed, tilt, (x0 + x1) / 2, (y0 + y1) / 2)

    shape = SHAPES[kind]
    rings = tuple(as_ring(transform(outline)) for outline in shape.rings)
    details = tuple(replace(detail, outline=transform(detail.outline)) for detail in shape.details)
    return Thing(kind, colour, rings, extents(rings), place, details)


def _raise_post(rng: Generator, scene: Scene) -> Scene:
    """The scene, often with a post in front of a thing, which then has two visible rings."""
    ground = scene.setting.rows[-1]
    able = [
        number for number, thing in enumerate(scene.things)
        if SHAPES[thing.kind].convex and thing.place == ground.place
    ]  # fmt: skip
    if not able or rng.random() >= _POST:
        return scene
    number = able[int(rng.integers(len(able)))]
    thing = scene.things[number]
    x0, y0, x1, y1 = thing.frame
    middle, half = x0 + (x1 - x0) * float(rng.uniform(0.36, 0.64)), 0.07 * (x1 - x0)
    outline = np.array(thing.rings[0]).reshape(-1, 2)
    rings = (as_ring(cut(outline, middle - half, -1)), as_ring(cut(outline, middle + half, 1)))
    height, width = scene.size
    post = block(middle - half, y0 - 0.14 * (y1 - y0), middle + half, y1 + 0.025 * height)
    wood = Material(0.12, (1, 8))
    surface = Surface("post", post / (width, height), (128, 98, 72), (96, 72, 52), wood)
    things = list(scene.things)
    things[number] = replace(thing, rings=rings)
    return replace(scene, things=tuple(things), posts=(surface,))
