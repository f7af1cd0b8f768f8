"""Where something is that is not where it should be, and the command that mends it."""

import difflib
from collections.abc import Iterator, Sequence

from convert.config.published import Published
from convert.doctor.archives import TARS, find_archive, find_broken_archive
from convert.doctor.commands import link, quote, unlock
from convert.doctor.diagnosis import Observation
from convert.doctor.survey import Survey, Trouble
from convert.record import Paths
from convert.sources.source import Need

FOLDERS = ("photos", "label maps")
"""Needs whose files have names that annotations, or the files of the other, know."""
_SAMPLES = 3
_FEW = 1000
"""Of the files in a crowded folder many are called almost alike."""


def label(need: Need) -> str:
    """What a need is called."""
    return f"{need.what} of {need.split}" if need.split else need.what


def tell_missing(
    need: Need, files: Sequence[Paths], survey: Survey, facts: Published, *, optional: bool
) -> Observation:
    """A need none of whose places is of use.

    Args:
        need: of a source.
        files: those that should be there, as far as that is known.
        survey: of the data.
        facts: of the source.
        optional: whether the guide asks for it.
    """
    where = _reported(need.places, survey)
    trouble, above = survey.diagnose(where)
    if trouble is Trouble.DANGLING:
        lost = f"{above} is a link to {survey.root.locate(above).readlink()}, which is not there"
    else:
        lost = f"{where} {trouble.value}"
    others = f", nor in {len(need.places) - 1} other places" if len(need.places) > 1 else ""
    hint, remedy = locate(need, files, survey, facts)
    text = f"no {label(need)}: {lost}{others}{hint}"
    return Observation(problem=not optional, text=text, remedy=remedy)


def locate(need: Need, files: Sequence[Paths], survey: Survey, facts: Published) -> tuple[str, str]:
    """(what was found instead, what to do)."""
    where = _reported(need.places, survey)
    trouble, above = survey.diagnose(where)
    if trouble is Trouble.LOCKED:
        return "", unlock(above)
    samples = [files[0], files[len(files) // 2], files[-1]] if files else []
    found = _find_folder(need.places, samples, survey) if samples else None
    if not samples:
        found = next(((path, where) for path in survey.look_for(need.places)), None)
    if found and _is_foreign(*found, survey):
        hint = f"; they are in {found[0]}, so the annotations are those of another source"
        return hint, facts.fetch(photos=False)
    if found:
        return f"; {found[0]} looks like it", link(*found, survey)
    command = find_archive(samples or [need.places], survey)
    if not command and samples:
        command = find_archive([need.places], survey, TARS)
    if command:
        return "; its archive is not unpacked", command
    broken = find_broken_archive(need.places, survey)
    if broken:
        return f"; {broken} is cut short, or no archive", _fetch(need, facts)
    return _name_others(where, survey), _fetch(need, facts)


def tell_hidden(need: Need, survey: Survey) -> Iterator[Observation]:
    """An empty folder that is taken for what a later place holds. Photos are looked for in all."""
    first = survey.root.find(need.places)
    found = survey.find(need.places)
    if first and found and first != found and need.what != "photos":
        text = f"{first} is empty, and taken for the {label(need)}, which are in {found}"
        remedy = f"rmdir {quote(first)}" if survey.root.locate(first).is_dir() else ""
        yield Observation(problem=True, text=text, remedy=remedy)


def tell_spelling(need: Need, place: str) -> Iterator[Observation]:
    """Where it was found, if not at its first place."""
    if place != need.places[0]:
        yield Observation(problem=False, text=f"{label(need)}: found as {place}")


def _reported(places: Paths, survey: Survey) -> str:
    """The place at which something is, though of no use; else the first."""
    there = (place for place in places if survey.trouble(place) is not Trouble.ABSENT)
    return next(there, places[0])


def _find_folder(
    folders: Paths, samples: Sequence[Paths], survey: Survey
) -> tuple[str, str] | None:
    """(folder with the samples, place it should be at).

    A photo's name may depend on the folder: COCO has two editions.
    """
    first = _reported(folders, survey)
    for folder in sorted(folders, key=lambda place: place != first):
        tails = [
            place.removeprefix(f"{folder}/")
            for places in samples
            for place in places
            if place.startswith(f"{folder}/")
        ]
        found = survey.folders_with(tails, folder) if len(tails) == len(samples) else []
        if found:
            return found[0], folder
    return None


def _is_foreign(folder: str, place: str, survey: Survey) -> bool:
    """Whether a folder has a use of its own, while the place is not empty."""
    own = folder.startswith(f"{place}/") or survey.trouble(place) is not Trouble.NONE
    return folder in survey.claimed and not own


def _name_others(place: str, survey: Survey) -> str:
    """Files beside the place that are called almost like it."""
    folder, _, name = place.rpartition("/")
    beside = survey.names(folder)
    if not survey.exists(place) and len(beside) < _FEW:
        others = [n for n in beside if f"{folder}/{n}" not in survey.claimed]
        close = difflib.get_close_matches(name, sorted(others), n=_SAMPLES, cutoff=0.5)
        if close:
            return f"; {', '.join(close)} beside it is something else"
    return ""


def _fetch(need: Need, facts: Published) -> str:
    return facts.fetch(photos=need.what == "photos")
