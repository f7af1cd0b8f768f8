"""Advice for files and folders that are missing or misplaced."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convert.config.published import Published
from convert.doctor.archives import TARS, find_archive, find_broken_archive
from convert.doctor.commands import link, quote, unlock
from convert.doctor.diagnosis import Advice
from convert.doctor.listing import FolderListing, PathState
from convert.record import Paths
from convert.sources.source import Need

_SIMILAR_NAMES = 3
_CROWDED = 1000
"""In a folder with more files, many names are similar to any name."""


@dataclass(frozen=True, slots=True)
class Locator:
    """Looks for the missing files of one source elsewhere below the data's root."""

    listing: FolderListing
    facts: Published

    def report_missing(self, need: Need, files: Sequence[Paths], *, optional: bool) -> Advice:
        """Advice for a need that no path meets.

        Args:
            need: of a source.
            files: that should be there, if the annotations name them.
            optional: whether the source is ready without it.
        """
        path = self._present_path(need.paths)
        state, above = self.listing.check(path)
        if state is PathState.DANGLING:
            target = self.listing.root.locate(above).readlink()
            problem = f"{above} is a link to {target}, which is not there"
        else:
            problem = f"{path} {state.value}"
        count = len(need.paths) - 1
        others = f", nor at {count} other path{'s' * (count > 1)}" if count else ""
        hint, remedy = self.suggest(need, files)
        text = f"no {need.label}: {problem}{others}{hint}"
        return Advice(problem=not optional, text=text, remedy=remedy)

    def suggest(self, need: Need, files: Sequence[Paths]) -> tuple[str, str]:
        """(what was found instead, what to do)."""
        path = self._present_path(need.paths)
        state, above = self.listing.check(path)
        if state is PathState.LOCKED:
            return "", unlock(above)
        samples = [files[0], files[len(files) // 2], files[-1]] if files else []
        candidate = self._find_elsewhere(need, path, samples)
        if candidate and self._belongs_to_another(*candidate):
            hint = f"; they are in {candidate[0]}, so the annotations are those of another source"
            return hint, self.facts.download_hint(photos=False)
        if candidate:
            return f"; {candidate[0]} looks like it", link(*candidate, self.listing)
        command = find_archive(samples or [need.paths], self.listing)
        if not command and samples:
            command = find_archive([need.paths], self.listing, TARS)
        if command:
            return "; its archive is not unpacked", command
        download = self.facts.download_hint(photos=need.kind == "photos")
        broken = find_broken_archive(need.paths, self.listing)
        if broken:
            return f"; {broken} is cut short, or no archive", download
        return self._name_similar(path), download

    def report_shadowed(self, need: Need) -> Iterator[Advice]:
        """Advice for an empty folder that is read in place of a full one at a later path.

        Photos are looked for at every path, so an empty folder of photos does no harm.
        """
        first = self.listing.root.find(need.paths)
        full = self.listing.find(need.paths)
        if first and full and first != full and need.kind != "photos":
            text = f"{first} is empty, and taken for the {need.label}, which are in {full}"
            remedy = f"rmdir {quote(first)}" if self.listing.root.locate(first).is_dir() else ""
            yield Advice(problem=True, text=text, remedy=remedy)

    def _find_elsewhere(
        self, need: Need, path: str, samples: Sequence[Paths]
    ) -> tuple[str, str] | None:
        """(path that may be what is needed, path at which it should be)."""
        if samples:
            return self._find_folder(need.paths, samples)
        similar = self.listing.find_similar(need.paths)
        return (similar[0], path) if similar else None

    def _present_path(self, paths: Paths) -> str:
        """The first path at which there is something, though of no use; else the first path."""
        present = (path for path in paths if self.listing.state(path) is not PathState.ABSENT)
        return next(present, paths[0])

    def _find_folder(self, folders: Paths, samples: Sequence[Paths]) -> tuple[str, str] | None:
        """(folder with the samples, path at which it should be).

        The name of a photo may depend on the folder: COCO has two editions.
        """
        first = self._present_path(folders)
        for folder in sorted(folders, key=lambda path: path != first):
            names = [
                path.removeprefix(f"{folder}/")
                for paths in samples
                for path in paths
                if path.startswith(f"{folder}/")
            ]
            if len(names) == len(samples):
                others = self.listing.folders_with(names, folder)
                if others:
                    return others[0], folder
        return None

    def _belongs_to_another(self, folder: str, path: str) -> bool:
        """Whether some source reads the folder, while the path holds something else."""
        inside = folder.startswith(f"{path}/")
        usable = self.listing.state(path) is PathState.USABLE
        return folder in self.listing.claimed and usable and not inside

    def _name_similar(self, path: str) -> str:
        """Files in the same folder with similar names, as a hint."""
        folder, _, name = path.rpartition("/")
        siblings = self.listing.names(folder)
        if not self.listing.exists(path) and len(siblings) < _CROWDED:
            others = [n for n in siblings if f"{folder}/{n}" not in self.listing.claimed]
            similar = difflib.get_close_matches(name, sorted(others), _SIMILAR_NAMES, cutoff=0.5)
            if similar:
                return f"; {', '.join(similar)} beside it is something else"
        return ""


def report_location(need: Need, path: str) -> Iterator[Advice]:
    """A note of the path of a need that is not at its first path."""
    if path != need.paths[0]:
        yield Advice(problem=False, text=f"{need.label}: found as {path}")
