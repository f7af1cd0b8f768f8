"""The positions of phrases in a caption."""

from collections import Counter
from collections.abc import Iterable


def find_spans(phrases: Iterable[str], caption: str) -> list[tuple[int, int] | None]:
    """Characters [start, stop) of each phrase in the caption, or None where it does not occur.

    Case is ignored. Whole words are preferred to parts of words. If a phrase is in the list several
    times, it gets its occurrences in turn, and the last occurrence again when they run out.

    >>> find_spans(["Man in red", "the woman", "man", "a dog"], "a man in red by the woman")
    [(2, 12), (16, 25), (2, 5), None]
    >>> find_spans(["a cat", "A cat"], "a cat and a cat")
    [(0, 5), (10, 15)]
    """
    folded, origin = _fold(caption)
    repeats: Counter[str] = Counter()
    spans: list[tuple[int, int] | None] = []
    for phrase in phrases:
        words, _ = _fold(phrase.strip())
        starts = _occurrences(words, folded)
        if not starts:
            spans.append(None)
            continue
        start = starts[min(repeats[words], len(starts) - 1)]
        repeats[words] += 1
        spans.append((origin[start], origin[start + len(words) - 1] + 1))
    return spans


def _fold(text: str) -> tuple[str, list[int]]:
    """The case-folded text, and for each of its characters the index in the original text.

    Case folding can lengthen a text: one letter may become two.
    """
    parts = [character.casefold() for character in text]
    origin = [number for number, part in enumerate(parts) for _ in part]
    return "".join(parts), origin


def _occurrences(words: str, text: str) -> list[int]:
    if not words:
        return []
    starts = []
    start = text.find(words)
    while start >= 0:
        starts.append(start)
        start = text.find(words, start + 1)
    whole = [start for start in starts if _is_whole(text, start, start + len(words))]
    return whole or starts


def _is_whole(text: str, start: int, stop: int) -> bool:
    before = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    after = stop == len(text) or not (text[stop - 1].isalnum() and text[stop].isalnum())
    return before and after
