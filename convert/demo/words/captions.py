"""Captions of scenes: plain ones, and captions with phrases that are grounded in masks."""

from collections.abc import Iterator, Sequence

from numpy.random import Generator

from convert.demo.scene.compose import Scene, Thing
from convert.demo.scene.raster import Mask, rasterise
from convert.demo.words.names import a, counted, describe, groups, listed, plural, spell
from convert.demo.words.phrases import GroundedText, Phrase, as_phrase, join_texts

_STANCE = {"on the shelf": "stand", "in the sky": "float", "on the floor": "stand"}


def write_captions(scene: Scene, rng: Generator) -> list[str]:
    """Five to seven sentences about the scene, in random order."""
    sentences = list(dict.fromkeys(_sentences(scene)))
    order = rng.permutation(len(sentences))[: int(rng.integers(5, 8))]
    return [sentences[number] for number in order]


def _sentences(scene: Scene) -> Iterator[str]:
    name_ = a(scene.setting.name)
    where = f"{'on' if scene.setting.name == 'beach' else 'in'} {name_}"
    yield f"{name_.capitalize()} with {listed([counted(g) for g in groups(scene.things)])}."
    yield f"{spell(len(scene.things)).capitalize()} things {where}"
    kinds = sorted({thing.kind for thing in scene.things})
    yield f"This is a picture of {listed([plural(kind) for kind in kinds])} {where}."
    for place in dict.fromkeys(thing.place for thing in scene.things):
        here = [thing for thing in scene.things if thing.place == place]
        is_, things = ("is", "thing") if len(here) == 1 else ("are", "things")
        yield f"There {is_} {spell(len(here))} {things} {place} ."
        yield f"{listed([counted(g) for g in groups(here)])} {place}"
    for thing in scene.things:
        yield f"{a(thing.kind).capitalize()} that is {thing.colour} can be seen {thing.place}."
        yield f"I see the {describe(scene, thing)[-1].removeprefix('the ')}"
    for kind in kinds:
        colours = [thing.colour for thing in scene.things if thing.kind == kind]
        if len(colours) > 1 and len(set(colours)) == 1:
            yield f"All {plural(kind)} here are {colours[0]}."


def write_grounded(scene: Scene) -> tuple[str, tuple[Phrase, ...]]:
    """A caption that names everything at each place, and its phrases."""
    sentence = GroundedText("")
    for place in dict.fromkeys(thing.place for thing in scene.things):
        here = groups([thing for thing in scene.things if thing.place == place])
        single = len(here) == 1 and len(here[0]) == 1
        verb = _STANCE.get(place, "rest") + ("s" if single else "")
        first, *rest = [counted(group) for group in here]
        texts = (first.capitalize(), *rest)
        parts = [as_phrase(text, _parts(scene, g)) for text, g in zip(texts, here, strict=True)]
        sentence = join_texts(
            sentence,
            " " if sentence.text else "",
            _listed(parts),
            f" {verb} ",
            _placed(scene, place),
            ".",
        )
    return sentence.text, sentence.phrases


def write_second_caption(scene: Scene) -> tuple[str, tuple[Phrase, ...]]:
    """Another caption, with a phrase inside a phrase and a phrase that occurs twice."""
    group = groups([t for t in scene.things if t.place == scene.things[-1].place])[0]
    place = group[0].place
    inner = join_texts(counted(group).capitalize(), " ", _placed(scene, place))
    verb = "is" if len(group) == 1 else "are"
    outer = as_phrase(inner, _parts(scene, group))
    sentence = join_texts(outer, f" {verb} seen best, but look at ", _surface(scene, place), " too")
    return sentence.text, sentence.phrases


def _parts(scene: Scene, group: Sequence[Thing]) -> tuple[Mask, ...]:
    """A mask of each ring of each thing. Rings of one thing may overlap: a mug and its handle."""
    return tuple(rasterise([ring], scene.size) for thing in group for ring in thing.rings)


def _placed(scene: Scene, place: str) -> GroundedText:
    preposition = place.split(maxsplit=1)[0]
    return join_texts(f"{preposition} ", _surface(scene, place))


def _surface(scene: Scene, place: str) -> GroundedText:
    _, words = place.split(maxsplit=1)
    return as_phrase(words, (scene.surface_mask(words.removeprefix("the ")),))


def _listed(parts: Sequence[GroundedText]) -> GroundedText:
    sentence = parts[0]
    for number, part in enumerate(parts[1:], start=2):
        sentence = join_texts(sentence, " and " if number == len(parts) else ", ", part)
    return sentence
