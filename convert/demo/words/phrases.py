"""Texts with phrases that are grounded in masks."""

from dataclasses import dataclass, replace

from convert.demo.scene.raster import Mask, unite


@dataclass(frozen=True, slots=True)
class Phrase:
    """Characters [start, stop) of a text, and the masks of the things that they name."""

    text: str
    start: int
    stop: int
    masks: tuple[Mask, ...]

    @property
    def mask(self) -> Mask:
        """The union of the masks."""
        return unite(self.masks)


@dataclass(frozen=True, slots=True)
class GroundedText:
    """A text and its phrases, sorted by their start; an outer phrase is before its inner ones."""

    text: str
    phrases: tuple[Phrase, ...] = ()


def join_texts(*parts: GroundedText | str) -> GroundedText:
    """The concatenation of some texts, with their phrases.

    >>> join_texts("on ", as_phrase("the shelf", ())).phrases
    (Phrase(text='the shelf', start=3, stop=12, masks=()),)
    """
    text, phrases = "", list[Phrase]()
    for part in parts:
        added = GroundedText(part) if isinstance(part, str) else part
        shift = len(text)
        phrases += [replace(p, start=p.start + shift, stop=p.stop + shift) for p in added.phrases]
        text += added.text
    return GroundedText(text, tuple(phrases))


def as_phrase(part: GroundedText | str, masks: tuple[Mask, ...]) -> GroundedText:
    """The text as one phrase, which may hold phrases."""
    text = GroundedText(part) if isinstance(part, str) else part
    whole = Phrase(text.text, 0, len(text.text), masks)
    return GroundedText(text.text, (whole, *text.phrases))
