"""Names of things, and expressions that refer to exactly one thing of a scene."""

from collections.abc import Iterator, Sequence

from convert.demo.scene.compose import Scene, Thing

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MIN_GAP = 0.05
"""Fraction of the photo's width that must separate a leftmost thing from all others."""
_MIN_RATIO = 1.3
"""Ratio of areas by which a biggest thing must exceed all others."""


def describe(scene: Scene, thing: Thing) -> list[str]:
    """Expressions that fit only this thing of the scene; at least one, the plainest first."""
    expressions = list(dict.fromkeys(_expressions(scene, thing)))
    return expressions or [_by_rank(scene, thing)]


def _expressions(scene: Scene, thing: Thing) -> Iterator[str]:
    alike = [t for t in scene.things if t.kind == thing.kind]
    twins = [t for t in alike if t.colour == thing.colour]
    for words, group in ((f"{thing.colour} {thing.kind}", twins), (thing.kind, alike)):
        if len(group) == 1:
            yield f"the {words}"
        if [t for t in group if t.place == thing.place] == [thing]:
            yield f"{words} {thing.place}"
        if len(group) > 1:
            yield from _extremes(scene, thing, words, group)
        for anchor in scene.things:
            alone = [t for t in scene.things if name(t) == name(anchor)] == [anchor]
            if alone and anchor.kind != thing.kind:
                yield from (
                    f"{words} {side} the {name(anchor)}" for side in _sides(thing, anchor, group)
                )
    if len(alike) == 1:
        yield f"the only {thing.kind}"


def _extremes(scene: Scene, thing: Thing, words: str, group: Sequence[Thing]) -> Iterator[str]:
    others = [t for t in group if t is not thing]
    gap = _MIN_GAP * scene.size[1]
    if all(middle(thing) + gap < middle(t) for t in others):
        yield f"leftmost {words}"
    if all(middle(thing) - gap > middle(t) for t in others):
        yield f"rightmost {words}"
    if all(_extent(thing) > _MIN_RATIO * _extent(t) for t in others):
        yield f"the biggest {words}"
    if all(_extent(thing) * _MIN_RATIO < _extent(t) for t in others):
        yield f"smallest {words}"


def _sides(thing: Thing, anchor: Thing, group: Sequence[Thing]) -> Iterator[str]:
    """Yield the sides of the anchor on which the thing is, and no other thing of its group."""
    others = [t for t in group if t is not thing]
    x0, y0, x1, y1 = thing.box
    a0, b0, a1, b1 = anchor.box
    level, over = y0 < b1 and b0 < y1, x0 < a1 and a0 < x1
    if level and x1 <= a0 and all(middle(t) > middle(anchor) for t in others):
        yield "left of"
    if level and x0 >= a1 and all(middle(t) < middle(anchor) for t in others):
        yield "right of"
    if over and y1 <= b0 and all(_height(t) > _height(anchor) for t in others):
        yield "above"
    if over and y0 >= b1 and all(_height(t) < _height(anchor) for t in others):
        yield "below"


def middle(thing: Thing) -> float:
    """The x coordinate of the centre of a thing."""
    return (thing.box[0] + thing.box[2]) / 2


def _height(thing: Thing) -> float:
    return (thing.box[1] + thing.box[3]) / 2


def _extent(thing: Thing) -> float:
    x0, y0, x1, y1 = thing.box
    return (x1 - x0) * (y1 - y0)


def spell(number: int) -> str:
    """A number in words, up to ten.

    >>> spell(7), spell(11)
    ('seven', '11')
    """
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def name(thing: Thing) -> str:
    """The colour and kind of a thing."""
    return f"{thing.colour} {thing.kind}"


def _by_rank(scene: Scene, thing: Thing) -> str:
    same = sorted((t for t in scene.things if t.kind == thing.kind), key=middle)
    return f"{thing.kind} number {spell(same.index(thing) + 1)} from the left"


def groups(things: Sequence[Thing]) -> list[list[Thing]]:
    """The things, grouped by colour and kind."""
    by_name: dict[str, list[Thing]] = {}
    for thing in things:
        by_name.setdefault(name(thing), []).append(thing)
    return list(by_name.values())


def counted(group: Sequence[Thing]) -> str:
    """`a red mug`, `two red mugs`.

    Args:
        group: things of one colour and kind.
    """
    words = name(group[0])
    return a(words) if len(group) == 1 else f"{spell(len(group))} {plural(words)}"


def a(words: str) -> str:
    """The words with an indefinite article."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(words: str) -> str:
    """The plural of the words."""
    if words.endswith("leaf"):
        return f"{words[:-1]}ves"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
