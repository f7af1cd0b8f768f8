"""Samples as pictures: photo above, words below, many of them on a sheet."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from shards.pixels import decode_labels
from shards.sample import Sample
from shards.view.colours import WHITE, choose_colours, colour_of, is_drawn, measure_classes
from shards.view.letters import GAP, TITLE, Paragraph, Run, draw_words
from shards.view.photo import WIDTH, draw_photo
from shards.view.words import describe, write_captions, write_classes, write_regions, write_talks

_MARGIN = 24


def draw_sheet(tiles: Sequence[Image.Image], title: str) -> Image.Image:
    """Tiles in rows under a title, as many columns as rows: 4 for 16."""
    columns = max(1, int(np.ceil(np.sqrt(len(tiles)))))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    width = _MARGIN + columns * (WIDTH + _MARGIN)
    words = draw_words([Paragraph((Run(title),), size=TITLE)], width - 2 * _MARGIN)
    heights = [max(tile.height for tile in row) + _MARGIN for row in rows]
    sheet = Image.new("RGB", (width, 2 * _MARGIN + words.height + sum(heights)), WHITE)
    sheet.paste(words, (_MARGIN, _MARGIN))
    top = 2 * _MARGIN + words.height
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (_MARGIN + column * (WIDTH + _MARGIN), top))
        top += height
    return sheet


def draw_tile(sample: Sample, names: Mapping[int, str]) -> Image.Image:
    """Photo above, words below, `WIDTH` pixels wide, as high as it takes.

    Args:
        sample: that keeps the rules of the format.
        names: of the classes of its label map.

    Raises:
        DecodeError: if its photo, label map or a mask is damaged or of another size.
    """
    colours = choose_colours(sample.regions)
    labels = decode_labels(sample) if sample.labels else np.zeros((0, 0), np.uint8)
    areas = measure_classes(labels)
    start = sum(is_drawn(region) for region in sample.regions)
    classes = {name: colour_of(start + rank) for rank, name in enumerate(areas)}
    photo = draw_photo(sample, colours, labels, classes)
    paragraphs = [
        *describe(sample),
        *write_captions(sample, colours),
        *write_regions(sample.regions, colours),
        *write_classes(areas, classes, names),
        *write_talks(sample),
    ]
    words = draw_words(paragraphs, WIDTH)
    tile = Image.new("RGB", (WIDTH, photo.height + GAP + words.height), WHITE)
    tile.paste(photo, (0, 0))
    tile.paste(words, (0, photo.height + GAP))
    return tile
