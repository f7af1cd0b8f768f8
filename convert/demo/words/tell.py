"""True captions of scenes: as people write them, and with phrases that are grounded in masks."""

from collections.abc import Iterator, Sequence

from numpy.random import Generator

from convert.demo.scene.raster import Mask, rasterise
from convert.demo.scene.scene import Scene, Thing
from convert.demo.words.spoken import Phrase, Said, mark, say
from convert.demo.words.words import a, counted, describe, groups, listed, plural, spell

_STANCE = {"on the shelf": "stand", "in the sky": "float", "on the floor": "stand"}


def write_captions(scene: Scene, rng: Generator) -> list[str]:
    """Five to seven sentences about the scene, in the loose way people have."""
    found = list(dict.fromkeys(_sentences(scene)))
    order = rng.permutation(len(found))[: int(rng.integers(5, 8))]
    return [found[number] for number in order]


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
    """A sentence for each place that names everything there, and the phrases in it."""
    said = Said("")
    for place in dict.fromkeys(thing.place for thing in scene.things):
        here = groups([thing for thing in scene.things if thing.place == place])
        single = len(here) == 1 and len(here[0]) == 1
        verb = _STANCE.get(place, "rest") + ("s" if single else "")
        first, *rest = [counted(group) for group in here]
        texts = (first.capitalize(), *rest)
        parts = [mark(text, _parts(scene, g)) for text, g in zip(texts, here, strict=True)]
        said = say(
            said, " " if said.text else "", _listed(parts), f" {verb} ", _placed(scene, place), "."
        )
    return said.text, said.phrases


def retell(scene: Scene) -> tuple[str, tuple[Phrase, ...]]:
    """Another caption: a phrase inside a phrase, and one that comes twice."""
    group = groups([t for t in scene.things if t.place == scene.things[-1].place])[0]
    place = group[0].place
    inner = say(counted(group).capitalize(), " ", _placed(scene, place))
    verb = "is" if len(group) == 1 else "are"
    outer = mark(inner, _parts(scene, group))
    said = say(outer, f" {verb} seen best, but look at ", _surface(scene, place), " too")
    return said.text, said.phrases


def _parts(scene: Scene, group: Sequence[Thing]) -> tuple[Mask, ...]:
    """A mask of each ring of each thing; parts of one thing overlap, as a mug and its handle."""
    return tuple(rasterise([ring], scene.size) for thing in group for ring in thing.rings)


def _placed(scene: Scene, place: str) -> Said:
    preposition = place.split(maxsplit=1)[0]
    return say(f"{preposition} ", _surface(scene, place))


def _surface(scene: Scene, place: str) -> Said:
    _, words = place.split(maxsplit=1)
    return mark(words, (scene.surface_mask(words.removeprefix("the ")),))


def _listed(parts: Sequence[Said]) -> Said:
    said = parts[0]
    for number, part in enumerate(parts[1:], start=2):
        said = say(said, " and " if number == len(parts) else ", ", part)
    return said
