"""A sample's photo with its label map, masks and boxes drawn on it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from shards.pixels import decode_photo, paint_masks
from shards.sample import Sample
from shards.view.colours import WHITE, Colour

WIDTH, HEIGHT = 420, 420
"""The photo's area in a tile; the photo is scaled to fit."""
_FILL = 0.45
_HALO = 0.6
_OUTLINE = 2


def draw_photo(
    sample: Sample,
    colours: Sequence[Colour],
    labels: NDArray[np.uint8],
    classes: Mapping[int, Colour],
) -> Image.Image:
    """The photo at the size of a tile, with all annotations drawn on it.

    Args:
        sample: to draw.
        colours: of its regions.
        labels: class ids of its label map; not used without classes.
        classes: id -> colour of the classes to draw.
    """
    photo = Image.fromarray(decode_photo(sample))
    scale = min(WIDTH / photo.width, HEIGHT / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    pixels = np.array(photo.resize(size, Image.Resampling.BILINEAR), np.float32)
    if classes:
        small = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
        for id_, colour in classes.items():
            _paint(pixels, small == id_, colour, outline=1)
    insides = [
        (colour, _reduce_mask(paint_masks(sample, [region.mask])[0], size))
        for region, colour in zip(sample.regions, colours, strict=True)
        if region.mask is not None
    ]
    # Small regions stay visible on top of large ones.
    for colour, inside in sorted(insides, key=lambda entry: -int(entry[1].sum())):
        _paint(pixels, inside, colour, outline=_OUTLINE)
    picture = Image.fromarray(np.rint(pixels).astype(np.uint8))
    _draw_boxes(picture, sample, colours)
    canvas = Image.new("RGB", (WIDTH, picture.height), WHITE)
    canvas.paste(picture, ((WIDTH - picture.width) // 2, 0))
    return canvas


def _reduce_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask at a tile's size: pixels that it covers by half, or else all that it touches."""
    full = Image.fromarray(mask.astype(np.uint8) * 255)
    cover = np.asarray(full.resize(size, Image.Resampling.BOX))
    inside: NDArray[np.bool_] = cover >= 128  # noqa: PLR2004 - half of 255
    return inside if inside.any() else cover > 0


def _paint(
    pixels: NDArray[np.float32], inside: NDArray[np.bool_], colour: Colour, *, outline: int
) -> None:
    """Tint the inside, draw its border within it, and lighten the pixels just outside."""
    core = inside
    for _ in range(outline):
        core = ~_grow(~core)
    if outline > 1:
        halo = _grow(inside) & ~inside
        pixels[halo] += _HALO * (255 - pixels[halo])
    pixels[core] += _FILL * (np.array(colour, np.float32) - pixels[core])
    pixels[inside & ~core] = colour


def _grow(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The area and its neighbours in four directions, within the photo."""
    padded = np.pad(area, 1)
    grown: NDArray[np.bool_] = (
        area | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    )
    return grown


def _draw_boxes(picture: Image.Image, sample: Sample, colours: Sequence[Colour]) -> None:
    canvas = ImageDraw.Draw(picture)
    across = picture.width / sample.image.size.width
    down = picture.height / sample.image.size.height
    for region, colour in zip(sample.regions, colours, strict=True):
        if region.box is None:
            continue
        left, top = round(region.box.x0 * across), round(region.box.y0 * down)
        right = max(left, round(region.box.x1 * across) - 1)
        bottom = max(top, round(region.box.y1 * down) - 1)
        if region.mask is None:
            frame = (left - 1, top - 1, right + 1, bottom + 1)
            canvas.rectangle(frame, outline=WHITE, width=1)
        width = 1 if region.mask is not None else _OUTLINE
        canvas.rectangle((left, top, right, bottom), outline=colour, width=width)
