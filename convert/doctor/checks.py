"""The checks of one source: the paths it reads, its annotations, and the files that they name."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from convert.config.config import SourceConfig
from convert.config.published import Published
from convert.doctor.commands import link, unlock
from convert.doctor.contents import FOLDER_KINDS, AssumedRoot, Contents, read_contents
from convert.doctor.damage import find_damaged
from convert.doctor.diagnosis import Advice, Diagnosis
from convert.doctor.labels import check_label_maps
from convert.doctor.listing import FolderListing, PathState
from convert.doctor.missing import Locator, report_location
from convert.errors import RecordError, SourceLayoutError
from convert.sources.source import HasEmptySplits, Need, Remark, SelfChecking

_EXAMPLES = 5


def check_source(
    name: str, entry: SourceConfig, listing: FolderListing, facts: Published
) -> Diagnosis:
    """Check everything that a source reads; photos are looked up but not opened.

    Args:
        name: of the config's entry.
        entry: the source and its options.
        listing: of the data's folders.
        facts: what is published about the source.
    """
    return _SourceCheck(entry, listing, facts).run(name)


@dataclass(slots=True)
class _SourceCheck:
    """The checks, and what they found so far.

    Attributes:
        found: need -> path at which it was found.
        missing: needs that no path meets.
        contents: what the annotations hold; empty if they cannot be read.
    """

    entry: SourceConfig
    listing: FolderListing
    facts: Published
    found: dict[Need, str] = field(default_factory=dict)
    missing: list[Need] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)

    def run(self, name: str) -> Diagnosis:
        findings: list[Advice] = []
        try:
            self._find_needs()
            findings += self._check_annotations()
            findings = [*self._check_paths(), *findings]
        except OSError as error:
            findings.append(self._report_unreadable(error))
        problems = any(finding.problem for finding in findings)
        state = "absent" if not self.found else "incomplete" if problems else "ready"
        items = self.contents.items
        photos = {split: items[split] for split in self.entry.source.splits if items[split]}
        paths = {
            need.label: path
            for need, path in self.found.items()
            if len(self.contents.missing.get(need, ())) < (self.contents.count(need) or 1)
        }
        return Diagnosis(name, state, paths, photos, self._add_note(findings))

    def _find_needs(self) -> None:
        for need in self.entry.source.needs():
            path = self.listing.find(need.paths)
            if path is None:
                self.missing.append(need)
            else:
                self.found[need] = path

    def _check_annotations(self) -> list[Advice]:
        """Read the annotations, unless that is known to fail, and check what they name."""
        unusable = list(self._check_folders())
        if unusable:
            return unusable
        assumed = frozenset(n.paths for n in self.missing if n.kind in FOLDER_KINDS)
        root = AssumedRoot(self.listing.root.path, assumed)
        source = self.entry.source
        try:
            remarks = list(source.check(root)) if isinstance(source, SelfChecking) else []
            if any(remark.severity == "unreadable" for remark in remarks):
                return [self._advise(remark) for remark in remarks]
            self.contents = read_contents(self.entry, self.listing, root)
        except (SourceLayoutError, RecordError) as error:
            return list(self._report_damaged(str(error)))
        return [*self._check_contents(), *map(self._advise, remarks)]

    def _check_folders(self) -> Iterator[Advice]:
        """Report folders without the file that makes them of use."""
        for need, path in self.found.items():
            if need.holds and not self.listing.exists(f"{path}/{need.holds}"):
                folders = self.listing.folders_with([need.holds], path)
                inner = [folder for folder in folders if folder.startswith(f"{path}/")]
                remedy = link(inner[0], path, self.listing) if inner else self._download()
                text = f"{path} has no {need.holds} in it"
                yield Advice(problem=True, text=text, remedy=remedy)

    def _advise(self, remark: Remark) -> Advice:
        problem = remark.severity != "note"
        return Advice(problem, remark.text, self._download() if problem else "")

    def _add_note(self, findings: list[Advice]) -> list[Advice]:
        """The findings, the first problem with the published note about common mistakes."""
        for number, finding in enumerate(findings):
            if finding.problem and self.facts.note:
                noted = replace(finding, text=f"{finding.text} ({self.facts.note})")
                return [*findings[:number], noted, *findings[number + 1 :]]
        return findings

    def _report_unreadable(self, error: OSError) -> Advice:
        root, failed = str(self.listing.root.path), str(error.filename or "")
        path = failed.removeprefix(root).lstrip("/")
        state, above = self.listing.check(path) if path else (PathState.USABLE, "")
        text = f"{path or failed}: {error.strerror or error}"
        remedy = unlock(above) if state is PathState.LOCKED else ""
        return Advice(problem=True, text=text, remedy=remedy)

    def _download(self) -> str:
        return self.facts.download_hint(photos=False)

    def _check_paths(self) -> Iterator[Advice]:
        locator = Locator(self.listing, self.facts)
        for need in self.missing:
            files = self.contents.missing.get(need, [])
            optional = need.split in self.entry.options.optional
            yield locator.report_missing(need, files, optional=optional)
        for need, path in self.found.items():
            if need not in self.contents.missing:
                yield from report_location(need, path)
            yield from locator.report_shadowed(need)

    def _report_damaged(self, error: str) -> Iterator[Advice]:
        """Report every damaged file; if there is none, the error of the file that was read."""
        damaged = find_damaged(self.found.values(), self.listing.root)
        for text in [f"{path} {damage}" for path, damage in damaged] or [error]:
            yield Advice(problem=True, text=text, remedy=self._download())

    def _check_contents(self) -> Iterator[Advice]:
        yield from self._compare_counts()
        yield from self._check_empty_splits()
        yield from self._check_files()
        yield from self._check_unusable()
        for split in self.contents.items:
            if self.contents.texts[split, False] and not self.contents.texts[split, True]:
                text = f"every text of {split} is empty; are its annotations of another edition?"
                yield Advice(problem=True, text=text, remedy=self._download())
        checked, errors = check_label_maps(self.listing.root, self.contents.with_labels)
        if errors:
            text = f"{len(errors)} of {checked} label maps checked are wrong: {_examples(errors)}"
            yield Advice(problem=True, text=text, remedy=self._download())

    def _compare_counts(self) -> Iterator[Advice]:
        for split, published in self.facts.photos.items():
            count = self.contents.items[split]
            if count not in {0, published}:
                text = f"{split} has {count:,} photos, published are {published:,}"
                yield Advice(problem=False, text=text)

    def _check_empty_splits(self) -> Iterator[Advice]:
        """Report splits whose needs are all met but that have no items."""
        source, items = self.entry.source, self.contents.items
        may_be_empty = source.may_be_empty if isinstance(source, HasEmptySplits) else ()
        missing = {need.split for need in self.missing}
        for split in source.splits:
            if items[split] or missing & {None, split}:
                continue
            needs = [
                (need, path) for need, path in self.found.items() if need.split in {None, split}
            ]
            # Of label maps only the folder is listed: one that is one level too deep seems empty.
            inner = [
                (f"{path}/{path.rpartition('/')[2]}", path)
                for need, path in needs
                if need.kind == "label maps"
            ]
            links = [link(i, path, self.listing) for i, path in inner if self.listing.exists(i)]
            names = ", ".join(path for need, path in needs if need.kind != "photos")
            text = f"no photos of {split} in {names}; is it of another edition?"
            expected = split in may_be_empty and items.total() > 0
            problem = split not in self.entry.options.optional and not expected
            yield Advice(problem, text, links[0] if links else self._download())

    def _check_files(self) -> Iterator[Advice]:
        locator = Locator(self.listing, self.facts)
        for need, files in self.contents.missing.items():
            if need in self.found:
                hint, remedy = locator.suggest(need, files)
                names = _examples([paths[0] for paths in files])
                counts = f"{len(files):,} of {self.contents.count(need):,}"
                text = f"{counts} {need.label} are not there: {names}{hint}"
                yield Advice(problem=True, text=text, remedy=remedy)

    def _check_unusable(self) -> Iterator[Advice]:
        unusable, total = self.contents.unusable, self.contents.items.total()
        if unusable:
            problem = len(unusable) > self.entry.options.max_rejected * total
            counts = f"{len(unusable):,} of {total:,}"
            text = f"{counts} photos have annotations that cannot be used: {_examples(unusable)}"
            yield Advice(problem, text, self._download() if problem else "")


def _examples(rows: list[str]) -> str:
    more = f" and {len(rows) - _EXAMPLES:,} more" if len(rows) > _EXAMPLES else ""
    return ", ".join(rows[:_EXAMPLES]) + more
