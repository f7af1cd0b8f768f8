"""Look at one source: its places, then its annotations, then what they name."""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from convert.config.config import SourceConfig
from convert.config.published import Published
from convert.doctor.commands import link, unlock
from convert.doctor.contents import AssumedRoot, Contents, read_contents
from convert.doctor.databases import DATABASE, tell_trouble, tell_unlisted
from convert.doctor.diagnosis import Diagnosis, Observation
from convert.doctor.files import find_spoilt
from convert.doctor.labels import check_some, compare_classes
from convert.doctor.places import FOLDERS, label, locate, tell_hidden, tell_missing, tell_spelling
from convert.doctor.survey import Survey, Trouble
from convert.errors import RecordError, SourceLayoutError
from convert.sources.grand import Grand
from convert.sources.source import Need

_SHOWN = 5
_LISTED = "label maps"
"""Of these a folder's listing is all that is read; if it is one too deep, there are none."""


def examine(name: str, entry: SourceConfig, survey: Survey, facts: Published) -> Diagnosis:
    """Look at everything a source reads, and at none of its photos' contents.

    Args:
        name: of the config's entry.
        entry: the source.
        survey: of the data.
        facts: what is published of the source.
    """
    return _Examination(entry, survey, facts).diagnose(name)


@dataclass(frozen=True, slots=True)
class _Examination:
    entry: SourceConfig
    survey: Survey
    facts: Published

    def diagnose(self, name: str) -> Diagnosis:
        found: dict[Need, str] = {}
        missing: list[Need] = []
        findings: list[Observation] = []
        contents = Contents()
        try:
            for need in self.entry.source.needs():
                place = self.survey.find(need.places)
                if place is None:
                    missing.append(need)
                else:
                    found[need] = place
            databases = [place for need, place in found.items() if need.what == DATABASE]
            spoilt = [
                f for place in databases for f in tell_trouble(place, self.survey, self.facts)
            ]
            findings += spoilt
            if not spoilt:
                try:
                    contents = read_contents(self.entry, self.survey, self._root(missing))
                except (SourceLayoutError, RecordError) as error:
                    findings += self._spoilt(found, str(error))
                else:
                    findings += self._inside(contents, found)
            findings = [*self._places(found, missing, contents), *findings]
        except OSError as error:
            findings.append(self._unreadable(error))
        problems = any(finding.problem for finding in findings)
        photos = {s: contents.items[s] for s in self.entry.source.splits if contents.items[s]}
        state = "absent" if not found else "incomplete" if problems else "ready"
        places = {
            label(need): place
            for need, place in found.items()
            if len(contents.gone.get(need, ())) < (self._named(contents, need) or 1)
        }
        return Diagnosis(name, state, places, photos, self._note(findings))

    def _note(self, findings: list[Observation]) -> list[Observation]:
        """What people get wrong, said once, with the first problem."""
        for number, finding in enumerate(findings):
            if finding.problem and self.facts.note:
                noted = replace(finding, text=f"{finding.text} ({self.facts.note})")
                return [*findings[:number], noted, *findings[number + 1 :]]
        return findings

    def _named(self, contents: Contents, need: Need) -> int:
        """Items that a need is about."""
        return contents.items[need.split] if need.split else contents.items.total()

    def _root(self, missing: list[Need]) -> AssumedRoot:
        folders = frozenset(need.places for need in missing if need.what in FOLDERS)
        return AssumedRoot(self.survey.root.path, folders)

    def _unreadable(self, error: OSError) -> Observation:
        root, path = str(self.survey.root.path), str(error.filename or "")
        place = path.removeprefix(root).lstrip("/")
        trouble, above = self.survey.diagnose(place) if place else (Trouble.NONE, "")
        text = f"{place or path}: {error.strerror or error}"
        remedy = unlock(above) if trouble is Trouble.LOCKED else ""
        return Observation(problem=True, text=text, remedy=remedy)

    def _fetch(self) -> str:
        return self.facts.fetch(photos=False)

    def _places(
        self, found: dict[Need, str], missing: list[Need], contents: Contents
    ) -> Iterator[Observation]:
        for need in missing:
            files = contents.gone.get(need, [])
            optional = need.split in self.entry.handling.optional
            yield tell_missing(need, files, self.survey, self.facts, optional=optional)
        for need, place in found.items():
            if need not in contents.gone:
                yield from tell_spelling(need, place)
            yield from tell_hidden(need, self.survey)

    def _spoilt(self, found: dict[Need, str], error: str) -> Iterator[Observation]:
        """Every file that is something else; if none is, why one cannot be read."""
        root = self.survey.root
        spoilt = [f"{place} {what}" for place, what in find_spoilt(found.values(), root)]
        for text in spoilt or [error]:
            yield Observation(problem=True, text=text, remedy=self._fetch())

    def _inside(self, contents: Contents, found: dict[Need, str]) -> Iterator[Observation]:
        yield from self._compare(contents)
        yield from self._unfilled(contents, found)
        total = contents.items.total()
        for need, gone in contents.gone.items():
            if need in found:
                hint, remedy = locate(need, gone, self.survey, self.facts)
                of = self._named(contents, need)
                names = _some([places[0] for places in gone])
                text = f"{len(gone):,} of {of:,} {label(need)} are not there: {names}{hint}"
                yield Observation(problem=True, text=text, remedy=remedy)
        broken = contents.broken
        if broken:
            many = len(broken) > self.entry.handling.max_rejected * total
            what = "photos have annotations that cannot be used"
            text = f"{len(broken):,} of {total:,} {what}: {_some(broken)}"
            yield Observation(problem=many, text=text, remedy=self._fetch() if many else "")
        for split in contents.items:
            if contents.texts[split, False] and not contents.texts[split, True]:
                text = f"nothing is said in {split}; are its annotations of another edition?"
                yield Observation(problem=True, text=text, remedy=self._fetch())
        looked, wrong = check_some(self.survey.root, contents.labelled)
        if wrong:
            text = f"{len(wrong)} of {looked} label maps looked into are wrong: {_some(wrong)}"
            yield Observation(problem=True, text=text, remedy=self._fetch())
        yield from self._classes(found)
        for need, place in found.items():
            if need.what == DATABASE:
                yield from tell_unlisted(place, self.survey.root)

    def _compare(self, contents: Contents) -> Iterator[Observation]:
        for split, published in self.facts.photos.items():
            count = contents.items[split]
            if count not in {0, published}:
                text = f"{split} has {count:,} photos, published are {published:,}"
                yield Observation(problem=False, text=text)

    def _unfilled(self, contents: Contents, found: dict[Need, str]) -> Iterator[Observation]:
        """Splits with all they need, and nothing in it. GranD's may lack a list of keys."""
        source = self.entry.source
        missing = {need.split for need in source.needs() if need not in found}
        for split in source.splits:
            if contents.items[split] or missing & {None, split}:
                continue
            files = [(n, p) for n, p in found.items() if n.split in {None, split}]
            must = split not in self.entry.handling.optional
            listed = isinstance(source, Grand) and contents.items.total() > 0
            inner = [(p + "/" + p.rpartition("/")[2], p) for n, p in files if n.what == _LISTED]
            deeper = [link(i, p, self.survey) for i, p in inner if self.survey.exists(i)]
            names = ", ".join(place for need, place in files if need.what != "photos")
            text = f"no photos of {split} in {names}; is it of another edition?"
            remedy = deeper[0] if deeper else self._fetch()
            yield Observation(problem=must and not listed, text=text, remedy=remedy)

    def _classes(self, found: dict[Need, str]) -> Iterator[Observation]:
        table = self.entry.source.table
        folders = [place for need, place in found.items() if need.what == "label maps"]
        if table is not None and folders:
            for text in compare_classes(self.survey.root, folders[0], table):
                yield Observation(problem=True, text=text, remedy=self._fetch())


def _some(rows: list[str]) -> str:
    more = f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
    return ", ".join(rows[:_SHOWN]) + more
