"""Coloured text, wrapped to a width and drawn."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont

from shards.view.colours import BLACK, GREY, WHITE, Colour

BODY, SMALL, TITLE = 14, 11, 18
"""Font sizes, in pixels."""
_INDENT = 15
GAP = 8
"""Pixels between blocks of text."""
_MAX_LINES = 4
"""Lines after which a paragraph is cut."""
_ASCII = str.maketrans("\u2013\u2014\u2010\u2011\u2212\u00d7\u00ad", "-----x-")


@dataclass(frozen=True, slots=True)
class TextRun:
    """Text of one colour."""

    text: str
    colour: Colour = BLACK


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Runs one after another, behind a coloured square if `mark` is given."""

    runs: tuple[TextRun, ...]
    mark: Colour | None = None
    size: int = BODY
    lines: int = _MAX_LINES
    above: int = 0


def draw_paragraphs(paragraphs: Sequence[Paragraph], width: int) -> Image.Image:
    """The paragraphs below each other, on white."""
    wrapped = [(p, wrap(p.runs, p.size, width - (_INDENT if p.mark else 0))) for p in paragraphs]
    height = sum(p.above + _line_height(p.size) * min(len(lines), p.lines) for p, lines in wrapped)
    image = Image.new("RGB", (width, height), WHITE)
    canvas = ImageDraw.Draw(image)
    top = 0
    for paragraph, lines in wrapped:
        top += paragraph.above
        if paragraph.mark:
            canvas.rectangle((0, top + 3, 9, top + 12), fill=paragraph.mark)
        for number, line in enumerate(lines[: paragraph.lines]):
            left = float(_INDENT if paragraph.mark else 0)
            cut = number == paragraph.lines - 1 and len(lines) > paragraph.lines
            for run in (*line, TextRun("...", GREY)) if cut else line:
                text = to_glyphs(run.text)
                canvas.text((left, top), text, run.colour, load_font(paragraph.size))
                left += load_font(paragraph.size).getlength(text)
            top += _line_height(paragraph.size)
    return image


def wrap(runs: Sequence[TextRun], size: int, width: int) -> list[tuple[TextRun, ...]]:
    """Lines of the runs, cut at spaces, or inside a word that is wider than a line.

    Args:
        runs: any white space in them, such as a line end, counts as one space.
        size: of the font, in pixels.
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
    return [group_letters(line) for line in lines]


def group_letters(letters: Iterable[tuple[str, Colour]]) -> tuple[TextRun, ...]:
    """Runs of equal colour, from letters with their colours."""
    groups = groupby(letters, key=lambda entry: entry[1])
    return tuple(
        TextRun("".join(letter for letter, _ in group), colour) for colour, group in groups
    )


def _measure(letters: Sequence[tuple[str, Colour]], size: int) -> float:
    return load_font(size).getlength(to_glyphs("".join(letter for letter, _ in letters)))


def _line_height(size: int) -> int:
    return size + 4


@cache
def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's default font; without FreeType it has only one size."""
    try:
        return ImageFont.load_default(size)
    except ImportError:  # Pillow without FreeType has one bitmap font
        return ImageFont.load_default_imagefont()


def to_glyphs(text: str) -> str:
    """The text in characters that the font has, or the closest ones: some fonts have only ASCII.

    Characters without a close one are drawn as a box.

    >>> to_glyphs("na\u00efve \u2014 1\u00d72")
    'naive - 1x2'
    """
    return "".join(map(_to_glyph, text.translate(_ASCII)))


@cache
def _to_glyph(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isprintable() else " "
    for candidate in (letter, unicodedata.normalize("NFKD", letter)[0]):
        if _has_glyph(candidate):
            return candidate
    return letter if isinstance(load_font(BODY), ImageFont.FreeTypeFont) else "?"


def _has_glyph(letter: str) -> bool:
    font = load_font(BODY)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return letter.isascii()
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
