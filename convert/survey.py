"""What lies below the data's root, found by listing folders and never by asking for each file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from convert.files import DataRoot
from convert.record import Places

_DEEPEST = 6
_CROWDED = 4000
"""Folders with more entries hold photos: nobody lost an annotation file there."""


@dataclass(slots=True)
class Survey:
    """Listings of folders, each made once, when it is first needed."""

    root: DataRoot
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _found: dict[str, list[str]] | None = None

    def has(self, places: Places) -> bool:
        """Whether one of the places is there."""
        return any(self._has(place) for place in places)

    def _has(self, place: str) -> bool:
        folder, _, name = place.rpartition("/")
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(self.root.locate(folder)))  # noqa: PTH208 - names are enough
            except OSError:
                self._names[folder] = frozenset()
        return name in self._names[folder]

    def look_for(self, places: Places) -> list[str]:
        """Files or folders elsewhere that are called like one of the places.

        The more of the last folders agree, the earlier they come.
        """
        if self._found is None:
            self._found = {}
            for path in _walk(self.root):
                self._found.setdefault(PurePosixPath(path).name, []).append(path)
        wanted = PurePosixPath(places[0]).parts
        candidates = {
            path
            for place in places
            for path in self._found.get(PurePosixPath(place).name, ())
            if path not in places
        }
        return sorted(candidates, key=lambda path: (-_shared_tail(path, wanted), path))


def _shared_tail(path: str, wanted: tuple[str, ...]) -> int:
    pairs = zip(reversed(PurePosixPath(path).parts), reversed(wanted), strict=False)
    count = 0
    for ours, theirs in pairs:
        if ours != theirs:
            break
        count += 1
    return count


def _walk(root: DataRoot) -> Iterator[str]:
    """Paths of files and folders, without those in crowded folders, links followed once."""
    waiting, seen = [("", 0)], set[tuple[int, int]]()
    while waiting:
        folder, depth = waiting.pop()
        here = root.path / folder
        try:
            status = here.stat()
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries[:_CROWDED]:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir() or len(entries) <= _CROWDED:
                yield path
            if entry.is_dir() and depth < _DEEPEST:
                waiting.append((path, depth + 1))
