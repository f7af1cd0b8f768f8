"""Paint a scene like a photo: light, shadows, 1/f texture, and sensor noise."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convert.demo.scene.compose import COLOURS, Scene, Thing
from convert.demo.scene.outline import Detail, Points
from convert.demo.scene.settings import Surface
from convert.demo.scene.shapes import SHAPES

FloatPixels = NDArray[np.uint8]
"""[height, width, 3], RGB."""
_Field = NDArray[np.floating]
_FINE = 2
_SOFT = 0.17
_GRAIN = ((112, 200, 260, 420), (0.9, 2.0, 3.0, 4.2))
"""(longer side of the photo, strength of the noise): a scaled-down photo has less noise."""


def paint(scene: Scene, rng: Generator) -> FloatPixels:
    """Uint8 [height, width, 3]."""
    height, width = scene.size
    canvas = np.zeros((height, width, 3), np.float32)
    for surface in scene.surfaces:
        _paint_surface(canvas, surface, rng)
    _cast_shadows(canvas, scene)
    for thing in scene.things:
        _paint_thing(canvas, thing, rng)
    for post in scene.posts:
        _paint_surface(canvas, post, rng)
    return _expose(canvas, rng)


def octaves(rng: Generator, height: int, width: int, streaks: tuple[int, int]) -> _Field:
    """1/f noise, about -1 to 1: every octave has the same strength.

    Computed from coarse to fine, by enlarging and adding. This takes a third more work than the
    finest octave alone.
    """
    wide, high = streaks
    rows, columns = max(1, -(-height // high)), max(1, -(-width // wide))
    levels = max(1, int(np.log2(max(rows, columns))))
    field: _Field = np.zeros((1, 1), np.float32)
    for level in range(levels, -1, -1):
        side = max(1, -(-rows >> level)), max(1, -(-columns >> level))
        field = _enlarge(field, *side)
        if level >= 1:  # the sensor noise is the finest octave
            field += 0.28 * rng.standard_normal(side, np.float32)
    return _enlarge(field, height, width)


def _enlarge(field: _Field, height: int, width: int) -> _Field:
    if field.shape == (height, width):
        return field
    image = Image.fromarray(field).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(image)


def _cover(outline: Points, x: int, y: int, width: int, height: int) -> _Field:
    """The fraction of each pixel of a window inside an outline: [height, width] in 0..1."""
    image = Image.new("L", (width * _FINE, height * _FINE))
    fine = (outline - (x, y)) * _FINE - 0.5
    ImageDraw.Draw(image).polygon([(float(a), float(b)) for a, b in fine], fill=255)
    return np.asarray(image.reduce(_FINE), np.float32) / 255


def _window(outline: Points, height: int, width: int) -> tuple[int, int, int, int]:
    """x, y, width, height of the pixels of the photo that an outline touches."""
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (width, height))
    x, y = (int(n) for n in low)
    return x, y, max(0, int(high[0]) - x), max(0, int(high[1]) - y)


def _blend(part: _Field, colour: _Field, cover: _Field) -> None:
    part += (colour - part) * cover[..., None]


def _apply_details(patch: _Field, details: tuple[Detail, ...], x: int, y: int) -> None:
    """Paint details on a patch whose upper left corner is at x, y of the photo."""
    for detail in details:
        dx, dy, width, height = _window(detail.outline - (x, y), patch.shape[0], patch.shape[1])
        if width == 0 or height == 0:
            continue
        cover = _cover(detail.outline, x + dx, y + dy, width, height)
        part = patch[dy : dy + height, dx : dx + width]
        flat = part if detail.colour is None else np.array(detail.colour, np.float32)
        _blend(part, flat * np.float32(detail.shade), cover)


def _paint_surface(canvas: _Field, surface: Surface, rng: Generator) -> None:
    size = np.array(canvas.shape[1::-1])
    outline = surface.outline * size
    x, y, width, height = _window(outline, *canvas.shape[:2])
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    upper, lower = (np.array(c, np.float32) for c in (surface.upper, surface.lower))
    tones = (upper + (lower - upper) * ramp)[:, None, :]
    patch = np.broadcast_to(tones, (height, width, 3)).copy()
    details = tuple(Detail(d.outline * size, d.shade, d.colour) for d in surface.details)
    _apply_details(patch, details, x, y)
    grain = octaves(rng, height, width, surface.material.streaks)
    patch *= (1 + surface.material.rough * grain)[..., None]
    part = canvas[y : y + height, x : x + width]
    _blend(part, patch, _cover(outline, x, y, width, height))


def _cast_shadows(canvas: _Field, scene: Scene) -> None:
    """Paint soft shadows below the things, at a low resolution."""
    height, width = scene.size
    rows, columns = 96, max(1, round(96 * width / height))
    scale = 96 / height
    image = Image.new("L", (columns * 4, rows * 4))
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        if thing.place == "in the sky":
            continue
        x0, _, x1, y1 = (number * scale * 4 for number in thing.frame)
        lift = 0.07 * (x1 - x0)
        pen.ellipse((x0 + lift * 0.5, y1 - lift, x1 + lift * 3, y1 + lift), fill=150)
    soft = np.asarray(image.reduce(4).resize((columns, rows)), np.float32) / 255
    canvas *= (1 - 0.7 * _enlarge(soft, height, width))[..., None]


def _paint_thing(canvas: _Field, thing: Thing, rng: Generator) -> None:
    outlines = [np.array(ring).reshape(-1, 2) for ring in thing.rings]
    x, y, width, height = _window(np.concatenate(outlines), *canvas.shape[:2])
    cover = np.zeros((height, width), np.float32)
    for outline in outlines:
        cover = np.maximum(cover, _cover(outline, x, y, width, height))
    patch = np.empty((height, width, 3), np.float32)
    patch[:] = COLOURS[thing.colour]
    _apply_details(patch, thing.details, x, y)
    light, gloss = _light(thing, x, y, width, height)
    light += 0.05 * octaves(rng, height, width, (1, 1))
    patch *= light[..., None]
    patch += gloss[..., None]
    _blend(canvas[y : y + height, x : x + width], patch, cover)


def _light(thing: Thing, x: int, y: int, width: int, height: int) -> tuple[_Field, _Field]:
    """(brightness, gloss) of a thing at each pixel of a window. Light comes from the upper left."""
    x0, y0, x1, y1 = thing.frame
    u = ((np.arange(x, x + width, dtype=np.float32) + 0.5 - x0) / (x1 - x0) * 2 - 1)[None, :]
    v = ((np.arange(y, y + height, dtype=np.float32) + 0.5 - y0) / (y1 - y0) * 2 - 1)[:, None]
    match SHAPES[thing.kind].light:
        case "ball":
            away = (u + 0.35) ** 2 + (v + 0.4) ** 2
            return 1.15 - 0.3 * away, 70 * np.exp(-away * 14)
        case "tube":
            light = 1.12 - 0.45 * (u + 0.25) ** 2 - 0.06 * v
            return light, np.broadcast_to(55 * np.exp(-((u + 0.5) ** 2) * 40), light.shape)
        case "flat":
            light = 1.0 - 0.08 * u - 0.12 * v
            return light, np.zeros_like(light)


def _soften(canvas: _Field) -> None:
    """Blur a little, like a photo that was scaled down.

    Sharp edges would need more bytes per pixel than a real photo does.
    """
    for axis in (0, 1):
        lines = np.moveaxis(canvas, axis, 0)
        lines[1:-1] += _SOFT * (lines[:-2] + lines[2:] - 2 * lines[1:-1])


def _expose(canvas: _Field, rng: Generator) -> FloatPixels:
    """The pixels of the photo, after vignetting and sensor noise."""
    height, width, _ = canvas.shape
    u = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    canvas *= (1.04 - 0.1 * (u * u + v * v))[..., None]
    if max(height, width) < _GRAIN[0][1]:
        _soften(canvas)
    canvas += np.interp(max(height, width), *_GRAIN).astype(np.float32) * rng.standard_normal(
        (height, width, 1), np.float32
    )
    return np.clip(canvas, 0, 255, out=canvas).astype(np.uint8)
