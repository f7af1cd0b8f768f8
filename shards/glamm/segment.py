"""Masks that are asked for by name: expressions, objects and their parts, classes of a map."""

from collections.abc import Mapping, Sequence

from shards.errors import ExampleError
from shards.glamm.chance import Rng
from shards.glamm.choose import choose_some, phrases_of
from shards.glamm.conversation import NAME, Exchange, plain
from shards.glamm.draft import ExamplePlan
from shards.glamm.prompts import Prompts
from shards.sample import Region, Sample


def draft_referring(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None, most: int
) -> ExamplePlan:
    """Up to `most` expressions with the masks of what they mean.

    Raises:
        ExampleError: if no expression has a mask, or that of number `which` has none.
    """
    phrases = phrases_of(sample)
    chosen = choose_some(_masked(phrases), chance, which, most, f"{sample.key}: phrase")
    names = [plain(phrases[number][1].strip(), sample.key) for number in chosen]
    return _draft(names, [phrases[number][0] for number in chosen], chance, prompts)


def draft_parts(
    sample: Sample, chance: Rng, prompts: Prompts, which: int | None, most: int
) -> ExamplePlan:
    """Up to `most` objects and parts with their masks.

    Raises:
        ExampleError: if none has a mask.
    """
    phrases = phrases_of(sample)
    chosen = choose_some(_masked(phrases), chance, which, most, f"{sample.key}: phrase")
    names = [part_name(plain(phrases[number][1], sample.key), chance) for number in chosen]
    return _draft(names, [phrases[number][0] for number in chosen], chance, prompts)


def draft_labels(
    sample: Sample,
    chance: Rng,
    prompts: Prompts,
    most: int,
    classes: Mapping[int, str],
) -> ExamplePlan:
    """Up to `most` classes of a label map.

    Args:
        sample: with a label map.
        chance: picks classes, questions and answers.
        prompts: to pick from.
        most: classes.
        classes: name of every class that may be asked for.

    Raises:
        ExampleError: if there is no label map, or none of these classes in it.
    """
    if sample.labels is None:
        raise ExampleError(f"{sample.key}: no label map")
    chosen = chance.draw([number for number in sample.labels.classes if number in classes], most)
    if not chosen:
        raise ExampleError(f"{sample.key}: its label map has none of the classes to be learned")
    names = [classes[number] for number in chosen]
    questions, turns = _ask(names, chance, prompts)
    return ExamplePlan(turns, questions, tuple(names), labels=tuple(chosen))


def part_name(category: str, chance: Rng) -> str:
    """A category's name in words: `mug`, and for a part, as chance has it, one of two forms.

    >>> part_name("car_(automobile)", Rng(0)), part_name("mouse_(animal):tail", Rng(1))
    ('car', 'mouse tail')
    """
    words = [word.split("_(")[0] for word in category.strip().split(":")]
    if len(words) == 1:
        return words[0]
    thing, part = words[0], words[-1]
    return f"{thing} {part}" if chance.below(2) else f"the {part} of the {thing}"


def _masked(phrases: Sequence[tuple[Region, str]]) -> list[str | None]:
    return [
        "no mask" if region.mask is None else None if phrase.strip() else "empty"
        for region, phrase in phrases
    ]


def _draft(
    names: Sequence[str], regions: Sequence[Region], chance: Rng, prompts: Prompts
) -> ExamplePlan:
    questions, turns = _ask(names, chance, prompts)
    masks = tuple(region.mask for region in regions if region.mask is not None)
    return ExamplePlan(turns, questions, tuple(names), masks=masks)


def _ask(
    names: Sequence[str], chance: Rng, prompts: Prompts
) -> tuple[tuple[str, ...], tuple[Exchange, ...]]:
    """(questions alone, turns): one for each name, the first with the opening before it."""
    questions = tuple(
        chance.pick(prompts.segment_questions).replace(NAME, name.strip().lower()) for name in names
    )
    turns = tuple(
        Exchange(
            question if number else prompts.opening + question, chance.pick(prompts.segment_answers)
        )
        for number, question in enumerate(questions)
    )
    return questions, turns
