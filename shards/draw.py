"""One sample as a picture: its photo with masks and boxes on it, its words in their colours."""

import colorsys
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shards.errors import MaskError, SampleError
from shards.mask import decode_mask
from shards.sample import Region, Rle, Sample, Size

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
"""Far apart in hue, and dark enough to read on white: the words have the masks' own colours."""
WIDTH, HEIGHT = 420, 420
"""The photo's place in a tile; its longer side fills it."""
IGNORE = 255

_CONTRAST = 4.5
"""Against white: WCAG 2's threshold for text of this size."""
_FILL = 0.45
_HALO = 0.6
_OUTLINE = 2
_BODY, _SMALL, _TITLE = 14, 11, 18
_GAP, _MARGIN, _INDENT = 8, 24, 15
_MOST_CAPTIONS, _MOST_REGIONS, _MOST_PHRASES, _MOST_TALKS, _MOST_TURNS = 5, 12, 5, 2, 4
_TALL, _SHORT = 14, 4
"""Lines after which a caption, or any other paragraph, is cut."""
_PLAIN = str.maketrans("\u2013\u2014\u2010\u2011\u2212\u00d7\u00ad", "-----x-")


@dataclass(frozen=True, slots=True)
class Run:
    """Words of one colour."""

    text: str
    colour: Colour = BLACK


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Runs that follow each other, with a square of colour before them if `mark` is given."""

    runs: tuple[Run, ...]
    mark: Colour | None = None
    size: int = _BODY
    lines: int = _SHORT
    above: int = 0


def draw_sheet(tiles: Sequence[Image.Image], title: str) -> Image.Image:
    """Tiles in rows under a title, as many columns as rows: 4 for 16."""
    columns = max(1, int(np.ceil(np.sqrt(len(tiles)))))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    width = _MARGIN + columns * (WIDTH + _MARGIN)
    words = _draw_words([Paragraph((Run(title),), size=_TITLE)], width - 2 * _MARGIN)
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
        SampleError: if the photo or label map is not an image of the size it should have.
        MaskError: naming the sample and region whose mask is broken.
    """
    colours = choose_colours(sample.regions)
    labels = _open_labels(sample)
    areas = measure_classes(labels)
    start = sum(_is_drawn(region) for region in sample.regions)
    classes = {name: colour_of(start + rank) for rank, name in enumerate(areas)}
    photo = _draw_photo(sample, colours, labels, classes)
    paragraphs = [
        *_describe(sample),
        *_write_captions(sample, colours),
        *_write_regions(sample.regions, colours),
        *_write_classes(areas, classes, names),
        *_write_talks(sample),
    ]
    words = _draw_words(paragraphs, WIDTH)
    tile = Image.new("RGB", (WIDTH, photo.height + _GAP + words.height), WHITE)
    tile.paste(photo, (0, 0))
    tile.paste(words, (0, photo.height + _GAP))
    return tile


def colour_of(rank: int) -> Colour:
    """The colour of the rank-th thing of a photo: of the palette first, then made up.

    >>> colour_of(0) == PALETTE[0]
    True
    """
    if rank < len(PALETTE):
        return PALETTE[rank]
    hue = rank * 0.618034 % 1  # the golden section: each hue falls into the widest gap so far
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
    """One colour per region; grey for those that are words only."""
    ranks = iter(range(len(regions)))
    return [colour_of(next(ranks)) if _is_drawn(region) else GREY for region in regions]


def _is_drawn(region: Region) -> bool:
    return region.mask is not None or region.box is not None


def measure_classes(labels: NDArray[np.uint8]) -> dict[int, float]:
    """Class id -> share of the photo, biggest first; pixels to ignore are left out."""
    counts = np.bincount(labels.reshape(-1), minlength=IGNORE + 1)
    ids = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i] and i != IGNORE]
    return {i: float(counts[i] / labels.size) for i in ids}


# The photo


def _draw_photo(
    sample: Sample,
    colours: Sequence[Colour],
    labels: NDArray[np.uint8],
    classes: Mapping[int, Colour],
) -> Image.Image:
    photo = _open_image(sample.image.data, f"{sample.key}.{sample.image.extension}", sample)
    scale = min(WIDTH / photo.width, HEIGHT / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    pixels = np.array(photo.convert("RGB").resize(size, Image.Resampling.BILINEAR), np.float32)
    if classes:
        small = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
        for name, colour in classes.items():
            _paint(pixels, small == name, colour, outline=1)
    insides = [
        (colour, _reduce_mask(region.mask, size, f"{sample.key}: region {number}"))
        for number, (region, colour) in enumerate(zip(sample.regions, colours, strict=True))
        if region.mask is not None
    ]
    # Small things stay visible on top of big ones.
    for colour, inside in sorted(insides, key=lambda entry: -int(entry[1].sum())):
        _paint(pixels, inside, colour, outline=_OUTLINE)
    picture = Image.fromarray(np.rint(pixels).astype(np.uint8))
    _draw_boxes(picture, sample, colours)
    canvas = Image.new("RGB", (WIDTH, picture.height), WHITE)
    canvas.paste(picture, ((WIDTH - picture.width) // 2, 0))
    return canvas


def _open_image(data: bytes, name: str, sample: Sample) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SampleError(f"{name}: does not decode: {error}") from error
    size = Size(image.height, image.width)
    if size != sample.image.size:
        raise SampleError(f"{name}: is {size}, its annotations say {sample.image.size}")
    return image


def _open_labels(sample: Sample) -> NDArray[np.uint8]:
    """Class ids, uint8 [height, width]; [0, 0] where the sample has no label map."""
    if sample.labels is None:
        return np.zeros((0, 0), np.uint8)
    name = f"{sample.key}.labels.png"
    image = _open_image(sample.labels.png, name, sample)
    if image.mode != "L":
        raise SampleError(f"{name}: has mode {image.mode}; expected 8-bit grayscale, L")
    return np.asarray(image)


def _reduce_mask(rle: Rle, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """The mask at the tile's size: where it covers half a pixel, or any pixel it touches."""
    try:
        mask = decode_mask(rle)
    except MaskError as error:
        raise MaskError(f"{where}: {error}") from error
    full = Image.fromarray(mask.astype(np.uint8) * 255)
    cover = np.asarray(full.resize(size, Image.Resampling.BOX))
    inside: NDArray[np.bool_] = cover >= 128  # noqa: PLR2004 - half of 255
    return inside if inside.any() else cover > 0


def _paint(
    pixels: NDArray[np.float32], inside: NDArray[np.bool_], colour: Colour, *, outline: int
) -> None:
    """Tint the inside, line its border from within, and lighten what lies just outside of it."""
    core = inside
    for _ in range(outline):
        core = ~_grow(~core)
    if outline > 1:
        halo = _grow(inside) & ~inside
        pixels[halo] += _HALO * (255 - pixels[halo])
    pixels[core] += _FILL * (np.array(colour, np.float32) - pixels[core])
    pixels[inside & ~core] = colour


def _grow(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The area and its neighbours in four directions; what lies beyond the photo is not one."""
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


# The words


def _describe(sample: Sample) -> Iterator[Paragraph]:
    yield Paragraph((Run(sample.key, GREY),), size=_SMALL)
    size = f"{sample.image.size}"
    if sample.original_size != sample.image.size:
        size += f" (original {sample.original_size})"
    size += f" \u00b7 {sample.file}" if sample.file else ""
    yield Paragraph((Run(size, GREY),), size=_SMALL)
    if not (sample.captions or sample.regions or sample.conversations or sample.labels):
        yield Paragraph((Run("only the photo", GREY),), above=_GAP)


def _write_captions(sample: Sample, colours: Sequence[Colour]) -> Iterator[Paragraph]:
    for number, caption in enumerate(sample.captions[:_MOST_CAPTIONS]):
        spans = [
            (span, colour)
            for region, colour in zip(sample.regions, colours, strict=True)
            for span in region.spans
            if span.caption == number
        ]
        letters = [BLACK] * len(caption)
        # A span inside another keeps its colour.
        for span, colour in sorted(spans, key=lambda entry: entry[0].start - entry[0].stop):
            letters[span.start : span.stop] = [colour] * (span.stop - span.start)
        yield Paragraph(_group_letters(zip(caption, letters, strict=True)), lines=_TALL, above=_GAP)
    yield from _count_rest(len(sample.captions) - _MOST_CAPTIONS, "caption")


def _write_regions(regions: Sequence[Region], colours: Sequence[Colour]) -> Iterator[Paragraph]:
    shown = list(zip(regions, colours, strict=True))[:_MOST_REGIONS]
    for number, (region, colour) in enumerate(shown):
        words = "; ".join(region.phrases[:_MOST_PHRASES])
        runs = [Run(words, colour)] if words else []
        if len(region.phrases) > _MOST_PHRASES:
            runs.append(Run(f" + {len(region.phrases) - _MOST_PHRASES} more", GREY))
        kind = ", ".join(_describe_kind(region, regions, words))
        if kind:
            runs.append(Run(f" ({kind})" if words else kind, colour))
        mark = colour if _is_drawn(region) else None
        above = 0 if number else _GAP
        yield Paragraph(tuple(runs) or (Run("no words", GREY),), mark=mark, above=above)
    yield from _count_rest(len(regions) - _MOST_REGIONS, "")


def _describe_kind(region: Region, regions: Sequence[Region], words: str) -> Iterator[str]:
    """Category, whole and attributes, as far as the words do not say them already."""
    whole = regions[region.parent].category if region.parent is not None else ""
    if region.category and not _says(words, region.category):
        yield region.category
    if whole and not _says(words, whole):
        yield f"part of {whole}"
    yield from region.attributes


def _says(words: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", words) is not None


def _write_classes(
    areas: Mapping[int, float], colours: Mapping[int, Colour], names: Mapping[int, str]
) -> Iterator[Paragraph]:
    for rank, (name, share) in enumerate(list(areas.items())[:_MOST_REGIONS]):
        runs = (Run(names.get(name, f"class {name}"), colours[name]), Run(f" {share:.1%}", GREY))
        yield Paragraph(runs, mark=colours[name], above=0 if rank else _GAP)
    yield from _count_rest(len(areas) - _MOST_REGIONS, "")


def _write_talks(sample: Sample) -> Iterator[Paragraph]:
    for turns in sample.conversations[:_MOST_TALKS]:
        for number, turn in enumerate(turns[:_MOST_TURNS]):
            runs = (Run(f"{turn.speaker}: ", GREY), Run(turn.text))
            yield Paragraph(runs, above=0 if number else _GAP)
        yield from _count_rest(len(turns) - _MOST_TURNS, "turn")
    yield from _count_rest(len(sample.conversations) - _MOST_TALKS, "conversation")


def _count_rest(number: int, what: str) -> Iterator[Paragraph]:
    if number > 0:
        noun = f" {what}" if number == 1 else f" {what}s"
        yield Paragraph((Run(f"+ {number} more{noun if what else ''}", GREY),))


# Letters


def _draw_words(paragraphs: Sequence[Paragraph], width: int) -> Image.Image:
    """The paragraphs under each other, on white, as high as they are."""
    laid = [(p, wrap(p.runs, p.size, width - (_INDENT if p.mark else 0))) for p in paragraphs]
    height = sum(p.above + _line_height(p.size) * min(len(lines), p.lines) for p, lines in laid)
    image = Image.new("RGB", (width, height), WHITE)
    canvas = ImageDraw.Draw(image)
    top = 0
    for paragraph, lines in laid:
        top += paragraph.above
        if paragraph.mark:
            canvas.rectangle((0, top + 3, 9, top + 12), fill=paragraph.mark)
        for number, line in enumerate(lines[: paragraph.lines]):
            left = float(_INDENT if paragraph.mark else 0)
            cut = number == paragraph.lines - 1 and len(lines) > paragraph.lines
            for run in (*line, Run("...", GREY)) if cut else line:
                text = spell(run.text)
                canvas.text((left, top), text, run.colour, _font(paragraph.size))
                left += _font(paragraph.size).getlength(text)
            top += _line_height(paragraph.size)
    return image


def wrap(runs: Sequence[Run], size: int, width: int) -> list[tuple[Run, ...]]:
    """Cut runs into lines at spaces, or inside a word that is wider than a line.

    Args:
        runs: whose white space, line ends included, is taken as single spaces.
        size: of the letters, in pixels.
        width: in pixels.
    """
    letters = [(letter, run.colour) for run in runs for letter in run.text]
    lines: list[list[tuple[str, Colour]]] = [[]]
    for blank, group in groupby(letters, key=lambda entry: entry[0].isspace()):
        if blank:
            continue
        word = list(group)
        joint = [(" ", BLACK)] if lines[-1] else []
        if joint and _measure(lines[-1] + joint + word, size) > width:
            lines.append([])
            joint = []
        lines[-1] += joint
        while len(word) > 1 and _measure(word, size) > width:
            fitting = next(n for n in range(1, len(word)) if _measure(word[: n + 1], size) > width)
            lines[-1] += word[:fitting]
            word = word[fitting:]
            lines.append([])
        lines[-1] += word
    return [_group_letters(line) for line in lines]


def _group_letters(letters: Iterable[tuple[str, Colour]]) -> tuple[Run, ...]:
    groups = groupby(letters, key=lambda entry: entry[1])
    return tuple(Run("".join(letter for letter, _ in group), colour) for colour, group in groups)


def _measure(letters: Sequence[tuple[str, Colour]], size: int) -> float:
    return _font(size).getlength(spell("".join(letter for letter, _ in letters)))


def _line_height(size: int) -> int:
    return size + 4


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(size)
    except ImportError:  # a Pillow without FreeType has one bitmap font of one size
        return ImageFont.load_default_imagefont()


def spell(text: str) -> str:
    """The text in letters that the font has, as near as it gets: Pillow's own knows ASCII only.

    What has no such letter is drawn as a box.

    >>> spell("na\u00efve \u2014 1\u00d72")
    'naive - 1x2'
    """
    return "".join(map(_spell_letter, text.translate(_PLAIN)))


@cache
def _spell_letter(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isprintable() else " "
    for candidate in (letter, unicodedata.normalize("NFKD", letter)[0]):
        if _has_glyph(candidate):
            return candidate
    return letter if isinstance(_font(_BODY), ImageFont.FreeTypeFont) else "?"


def _has_glyph(letter: str) -> bool:
    font = _font(_BODY)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return letter.isascii()
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
