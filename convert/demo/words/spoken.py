"""Text that knows which of its words mean what in a photo."""

from dataclasses import dataclass, replace

from convert.demo.scene.raster import Mask, unite


@dataclass(frozen=True, slots=True)
class Phrase:
    """Characters [start, stop) of a text, and the parts of the mask of what they mean."""

    text: str
    start: int
    stop: int
    masks: tuple[Mask, ...]

    @property
    def mask(self) -> Mask:
        """The union of the parts."""
        return unite(self.masks)


@dataclass(frozen=True, slots=True)
class Said:
    """A text and the phrases in it, in the order in which they begin; outer before inner."""

    text: str
    phrases: tuple[Phrase, ...] = ()


def say(*parts: Said | str) -> Said:
    """The parts one after another; phrases move with their words.

    >>> say("on ", mark("the shelf", ())).phrases
    (Phrase(text='the shelf', start=3, stop=12, masks=()),)
    """
    text, phrases = "", list[Phrase]()
    for part in parts:
        said = Said(part) if isinstance(part, str) else part
        shift = len(text)
        phrases += [replace(p, start=p.start + shift, stop=p.stop + shift) for p in said.phrases]
        text += said.text
    return Said(text, tuple(phrases))


def mark(part: Said | str, masks: tuple[Mask, ...]) -> Said:
    """The part as one phrase; phrases inside it stay."""
    said = Said(part) if isinstance(part, str) else part
    whole = Phrase(said.text, 0, len(said.text), masks)
    return Said(said.text, (whole, *said.phrases))
