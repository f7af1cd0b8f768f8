"""Every sentence of the miniature is true: read again by rules of their own."""

import re

import numpy as np
import pytest

from convert.demo.scene.compose import COLOURS, Thing, draw_scene
from convert.demo.scene.shapes import SHAPES
from convert.demo.words.captions import write_captions, write_grounded, write_second_caption
from convert.demo.words.names import NUMBERS, describe

COLOUR, KIND = "|".join(COLOURS), "|".join(sorted(SHAPES, key=len, reverse=True))
EXPRESSION = re.compile(
    rf"(?:the )?(?:(?P<rank>only|leftmost|rightmost|biggest|smallest) )?(?:(?P<colour>{COLOUR}) )?"
    rf"(?P<kind>{KIND})(?: number (?P<number>\w+) from the left"
    rf"| (?P<side>left of|right of|above|below) the (?P<anchor>(?:{COLOUR}) (?:{KIND}))"
    r"| (?P<place>(?:in|on) the \w+))?"
)
COUNTED = re.compile(
    rf"\b(?P<count>an?|{'|'.join(NUMBERS[2:])}) (?P<colour>{COLOUR}) "
    rf"(?P<kind>{KIND}|leave)(?:e?s)?\b"
)
SIZES = ((120, 160), (160, 120), (160, 240), (480, 640))


def scenes(count: int):
    for seed in range(count):
        yield draw_scene(np.random.default_rng(seed), SIZES[seed % len(SIZES)])


def x(thing: Thing) -> float:
    return thing.box[0] + thing.box[2]


def y(thing: Thing) -> float:
    return thing.box[1] + thing.box[3]


def size(thing: Thing) -> float:
    return (thing.box[2] - thing.box[0]) * (thing.box[3] - thing.box[1])


def meant(scene, text: str):
    """Things of the scene that a person could mean."""
    found = EXPRESSION.fullmatch(text)
    assert found, text
    group = [t for t in scene.things if t.kind == found["kind"]]
    group = [t for t in group if found["colour"] in (None, t.colour)]
    group = [t for t in group if found["place"] in (None, t.place)]
    if found["number"]:
        return [sorted(group, key=x)[NUMBERS.index(found["number"]) - 1]]
    if found["side"]:
        (anchor,) = [t for t in scene.things if f"{t.colour} {t.kind}" == found["anchor"]]
        test = {
            "left of": lambda t: x(t) < x(anchor),
            "right of": lambda t: x(t) > x(anchor),
            "above": lambda t: y(t) < y(anchor),
            "below": lambda t: y(t) > y(anchor),
        }[found["side"]]
        group = [t for t in group if test(t)]
    match found["rank"]:
        case "leftmost":
            return [min(group, key=x)]
        case "rightmost":
            return [max(group, key=x)]
        case "biggest":
            return [max(group, key=size)]
        case "smallest":
            return [min(group, key=size)]
    return group


def test_an_expression_means_one_thing_alone():
    kinds = set()
    for scene in scenes(80):
        for thing in scene.things:
            texts = describe(scene, thing)
            assert texts
            for text in texts:
                assert meant(scene, text) == [thing], text
                found = EXPRESSION.fullmatch(text)
                assert found is not None
                kinds |= {found["rank"], found["side"], found["place"] and "place"}
    assert kinds >= {"only", "leftmost", "biggest", "left of", "above", "below", "place"}


def things_counted(scene, text: str, place: str | None) -> None:
    for found in COUNTED.finditer(text.lower()):
        kind = "leaf" if found["kind"] == "leave" else found["kind"]
        here = [t for t in scene.things if place in (None, t.place)]
        count = sum((t.kind, t.colour) == (kind, found["colour"]) for t in here)
        stated = 1 if found["count"].startswith("a") else NUMBERS.index(found["count"])
        assert count == stated, (text, found[0])


@pytest.mark.parametrize("rng", range(3))
def test_captions_count_right(rng):
    for scene in scenes(40):
        captions = write_captions(scene, np.random.default_rng(rng))
        assert 5 <= len(captions) <= 7
        assert len(set(captions)) == len(captions)
        for text in captions:
            place = re.search(r"((?:in|on) the \w+)(?: ?\.)?$", text)
            where = place[1] if place else None
            things_counted(scene, text, where)
            if found := re.fullmatch(r"There (?:is|are) (\w+) things? .*", text):
                here = [t for t in scene.things if t.place == where]
                assert len(here) == NUMBERS.index(found[1])
            if found := re.fullmatch(rf"All .* here are ({COLOUR})\.", text):
                assert sum(t.colour == found[1] for t in scene.things) > 1
            if text.startswith("I see "):
                assert len(meant(scene, text.removeprefix("I see "))) == 1
            if found := re.fullmatch(rf"An? ({KIND}) that is ({COLOUR}) can be seen (.*)\.", text):
                assert found.groups() in {(t.kind, t.colour, t.place) for t in scene.things}


@pytest.mark.parametrize("write", [write_grounded, write_second_caption])
def test_phrases_have_the_right_spans_and_masks(write):
    for scene in scenes(30):
        text, phrases = write(scene)
        assert text[0].isupper()
        for phrase in phrases:
            assert text[phrase.start : phrase.stop] == phrase.text
            words = COUNTED.match(phrase.text.lower())
            if words is None:
                name = phrase.text.lower().removeprefix("the ")
                assert phrase.mask == scene.surface_mask(name)
                continue
            kind = "leaf" if words["kind"] == "leave" else words["kind"]
            rest = text[phrase.start :].split(".")[0]
            place = next(s.name for s in scene.surfaces if f"the {s.name}" in rest)
            expected = np.zeros(scene.size, bool)
            for thing, mask in zip(scene.things, scene.masks(), strict=True):
                if (thing.kind, thing.colour) == (kind, words["colour"]):
                    expected |= mask.pixels & thing.place.endswith(place)
            assert np.array_equal(phrase.mask.pixels, expected)
