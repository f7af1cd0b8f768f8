"""Whether a source is ready to be converted, and if not, what to do about it."""

from collections.abc import Iterator
from itertools import chain

import msgspec

from convert.config import Entry
from convert.errors import RecordError, SourceLayoutError
from convert.files import DataRoot
from convert.labels import read_label_size, store_labels
from convert.policy import ImagePolicy
from convert.published import Published
from convert.record import Record
from convert.source import Item, Need, missing_needs, ready_splits
from convert.survey import Survey

_SHOWN = 5
_LABEL_MAPS = 20
"""Label maps of a split that are looked into: the wrong edition shows in any of them."""


class Finding(msgspec.Struct, frozen=True):
    """Something about a source; `remedy` is what to type or fetch."""

    problem: bool
    text: str
    remedy: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """What is known of a source.

    Attributes:
        state: ready, incomplete or absent.
        places: what it reads -> where that was found.
        photos: split -> photos its annotations name.
    """

    source: str
    state: str
    places: dict[str, str]
    photos: dict[str, int]
    findings: list[Finding]


def examine(name: str, entry: Entry, survey: Survey, facts: Published) -> Diagnosis:
    """Look at everything a source reads, and at none of its photos' contents.

    Args:
        name: of the config's entry.
        entry: the source.
        survey: of the data.
        facts: what is published of the source.
    """
    source, root = entry.source, survey.root
    places = {_label(need): place for need in source.needs() if (place := root.find(need.places))}
    missing = missing_needs(source, root)
    findings = [_missing(need, survey, facts, entry.handling.optional) for need in missing]
    photos: dict[str, int] = {}
    if ready_splits(source, root):
        try:
            items = list(source.scan(root))
        except (SourceLayoutError, RecordError) as error:
            findings.append(Finding(problem=True, text=str(error), remedy=_fetch(facts)))
        else:
            photos = {split: sum(i.split == split for i in items) for split in source.splits}
            photos = {split: count for split, count in photos.items() if count}
            findings += _compare(photos, facts)
            findings += _inspect(entry, items, survey, facts)
    problems = any(finding.problem for finding in findings)
    state = "absent" if not places else "incomplete" if problems else "ready"
    return Diagnosis(name, state, places, photos, findings)


def _label(need: Need) -> str:
    return f"{need.what} of {need.split}" if need.split else need.what


def _missing(need: Need, survey: Survey, facts: Published, optional: tuple[str, ...]) -> Finding:
    where = need.places[0]
    elsewhere = survey.look_for(need.places)
    if elsewhere:
        parent, _, _ = where.rpartition("/")
        up = "../" * where.count("/")
        make = f"mkdir -p {_quote(parent)} && " if parent else ""
        remedy = f"{make}ln -s {_quote(up + elsewhere[0])} {_quote(where)}"
    else:
        remedy = _fetch(facts)
    others = f", nor in {len(need.places) - 1} other places" if len(need.places) > 1 else ""
    text = f"no {_label(need)}: {where} is not there{others}"
    return Finding(problem=need.split not in optional, text=text, remedy=remedy)


def _fetch(facts: Published) -> str:
    return f"get it: {facts.get}" if facts.get else ""


def _quote(path: str) -> str:
    plain = all(character.isalnum() or character in "/._+-" for character in path)
    return path if plain else "'" + path.replace("'", "'\\''") + "'"


def _compare(photos: dict[str, int], facts: Published) -> Iterator[Finding]:
    for split, count in photos.items():
        published = facts.photos.get(split)
        if published is not None and published != count:
            text = f"{split} has {count:,} photos, published are {published:,}"
            yield Finding(problem=False, text=text)


def _inspect(
    entry: Entry, items: list[Item], survey: Survey, facts: Published
) -> Iterator[Finding]:
    """Every row and the existence of every file; the values of some label maps."""
    broken: list[str] = []
    lost_photos: list[str] = []
    lost_labels: list[str] = []
    labelled: list[Record] = []
    with entry.source.open(survey.root) as record_of:
        for item in items:
            try:
                record = record_of(item)
                if not survey.has(record.photo):
                    lost_photos.append(record.photo[0])
                if record.labels is not None and not survey.has(record.labels.places):
                    lost_labels.append(record.labels.places[0])
                elif record.labels is not None:
                    labelled.append(record)
            except RecordError as error:
                broken.append(f"{item.id}: {type(error).__name__}: {error}")
    total = len(items)
    yield from _tell(lost_photos, total, "photos are not there", _fetch(facts))
    yield from _tell(lost_labels, total, "label maps are not there", _fetch(facts))
    yield from _tell(broken, total, "photos have annotations that cannot be used", "")
    step = max(1, len(labelled) // _LABEL_MAPS)
    wrong = list(chain.from_iterable(_check_labels(survey.root, r) for r in labelled[::step]))
    yield from _tell(
        wrong, len(labelled[::step]), "label maps looked into are wrong", _fetch(facts)
    )


def _tell(rows: list[str], total: int, what: str, remedy: str) -> Iterator[Finding]:
    if rows:
        shown = ", ".join(rows[:_SHOWN])
        more = f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
        text = f"{len(rows):,} of {total:,} {what}: {shown}{more}"
        yield Finding(problem=True, text=text, remedy=remedy)


def _check_labels(root: DataRoot, record: Record) -> Iterator[str]:
    policy = ImagePolicy()
    labels = record.labels
    found = labels and root.read_first(labels.places, max_bytes=policy.max_bytes)
    if labels is None or not found:
        return
    place, data = found
    try:
        size = read_label_size(data, policy)
        store_labels(data, labels.table, size, size, policy)
    except RecordError as error:
        yield f"{place}: {error}"
