"""A sheet of samples: each with its photo above and its texts below."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shards.pixels import decode_labels
from shards.sample import Sample
from shards.storage import write_whole
from shards.view.colours import WHITE, choose_colours, colour_of, is_drawn, measure_classes
from shards.view.photo import WIDTH, draw_photo
from shards.view.samples import (
    ViewError,
    open_sample_set,
    select_by_key,
    select_by_position,
    select_positions,
)
from shards.view.text_layout import GAP, TITLE, Paragraph, TextRun, draw_paragraphs
from shards.view.texts import (
    caption_paragraphs,
    class_paragraphs,
    conversation_paragraphs,
    header_paragraphs,
    region_paragraphs,
)

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_MARGIN = 24


def write_sheet(path: Path, out: Path, *, n: int, seed: int | None, keys: Sequence[str]) -> int:
    """Draw samples and write the picture; the number of samples on it.

    One photo is decoded at a time.

    Args:
        path: of a split's folder or of a tar.
        out: of the picture, .png or .jpg.
        n: how many samples to select, unless there are keys.
        seed: of a random selection; None for samples at even distances.
        keys: of the samples to draw, in this order.

    Raises:
        ShardError: if there are no samples, one breaks the format, or the picture cannot be
            written; no picture is left then.
    """
    if out.suffix.lower() not in _FORMATS:
        raise ViewError(f"--out {out}: expected a name that ends in {', '.join(_FORMATS)}")
    samples = open_sample_set(path)
    if keys:
        unique = list(dict.fromkeys(keys))
        by_key = {s.key: draw_tile(s, samples.classes) for s in select_by_key(samples, unique)}
        tiles = [by_key[key] for key in unique]
    else:
        positions = select_positions([count for _, count in samples.shards], n, seed)
        selected = select_by_position(samples, positions)
        tiles = [draw_tile(sample, samples.classes) for sample in selected]
    total = sum(count for _, count in samples.shards)
    _save(draw_sheet(tiles, f"{samples.title}: {len(tiles)} of {total:,} samples"), out)
    return len(tiles)


def _save(sheet: Image.Image, out: Path) -> None:
    buffer = io.BytesIO()
    try:
        sheet.save(buffer, _FORMATS[out.suffix.lower()], quality=92)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, buffer.getvalue())
    except (OSError, ValueError) as error:  # Pillow raises ValueError if too large for JPEG
        raise ViewError(f"--out {out}: cannot be written: {error}") from error


def draw_sheet(tiles: Sequence[Image.Image], title: str) -> Image.Image:
    """Tiles in rows under a title, about as many columns as rows: 4 columns for 16 tiles."""
    columns = max(1, int(np.ceil(np.sqrt(len(tiles)))))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    width = _MARGIN + columns * (WIDTH + _MARGIN)
    header = draw_paragraphs([Paragraph((TextRun(title),), size=TITLE)], width - 2 * _MARGIN)
    heights = [max(tile.height for tile in row) + _MARGIN for row in rows]
    sheet = Image.new("RGB", (width, 2 * _MARGIN + header.height + sum(heights)), WHITE)
    sheet.paste(header, (_MARGIN, _MARGIN))
    top = 2 * _MARGIN + header.height
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (_MARGIN + column * (WIDTH + _MARGIN), top))
        top += height
    return sheet


def draw_tile(sample: Sample, names: Mapping[int, str]) -> Image.Image:
    """A sample's photo with its texts below, `WIDTH` pixels wide.

    Args:
        sample: that follows the rules of the format.
        names: id -> name of the classes of its label map.

    Raises:
        DecodeError: if its photo, label map or a mask is damaged or of another size.
    """
    colours = choose_colours(sample.regions)
    labels = decode_labels(sample) if sample.labels else np.zeros((0, 0), np.uint8)
    areas = measure_classes(labels)
    start = sum(is_drawn(region) for region in sample.regions)
    classes = {id_: colour_of(start + rank) for rank, id_ in enumerate(areas)}
    photo = draw_photo(sample, colours, labels, classes)
    paragraphs = [
        *header_paragraphs(sample),
        *caption_paragraphs(sample, colours),
        *region_paragraphs(sample.regions, colours),
        *class_paragraphs(areas, classes, names),
        *conversation_paragraphs(sample),
    ]
    texts = draw_paragraphs(paragraphs, WIDTH)
    tile = Image.new("RGB", (WIDTH, photo.height + GAP + texts.height), WHITE)
    tile.paste(photo, (0, 0))
    tile.paste(texts, (0, photo.height + GAP))
    return tile
