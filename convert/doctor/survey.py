"""What lies below the data's root, found by listing folders and never by asking for each file."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from convert.errors import UnsafePathError
from convert.record import Paths
from convert.sources.files import DataRoot, safe_place

_DEEPEST = 6
_CROWDED = 4000
"""Folders with more entries hold photos: nobody lost an annotation file there."""
_LINKS = 20
"""Links of a folder that are followed; only if one leads nowhere are all of them."""


class Trouble(Enum):
    """Why a place is of no use; the value is what to say of it."""

    NONE = ""
    ABSENT = "is not there"
    DANGLING = "is a link to what is not there"
    EMPTY = "is empty"
    LOCKED = "may not be read"


@dataclass(slots=True)
class Survey:
    """Listings of folders, each made once, when it is first needed.

    Attributes:
        claimed: places that some source reads: what is there is not lost.
    """

    root: DataRoot
    claimed: Collection[str] = ()
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _walked: list[tuple[str, bool]] | None = None

    def has(self, places: Paths) -> bool:
        """Whether one of the places is there."""
        return any(self._has(place) for place in places)

    def _has(self, place: str) -> bool:
        folder, _, name = place.rpartition("/")
        return name in self.names(folder)

    def names(self, folder: str) -> frozenset[str]:
        """What a folder holds, without links that lead nowhere; nothing if it cannot be listed."""
        if folder not in self._names:
            path = self.root.locate(folder) if folder else self.root.path
            self._names[folder] = frozenset(_list(path))
        return self._names[folder]

    def exists(self, place: str) -> bool:
        """Whether something is at a place, and may be looked at."""
        return os.access(self.root.locate(place), os.F_OK)

    def find(self, places: Paths) -> str | None:
        """The first place with something in it that may be read."""
        return next((place for place in places if self.trouble(place) is Trouble.NONE), None)

    def trouble(self, place: str) -> Trouble:
        """What is wrong with a place."""
        return self.diagnose(place)[0]

    def diagnose(self, place: str) -> tuple[Trouble, str]:
        """What is wrong with a place, and the place or the topmost folder above it that is."""
        parts = PurePosixPath(place).parts
        for end in range(1, len(parts) + 1):
            above = "/".join(parts[:end])
            path = self.root.locate(above)
            if not os.access(path, os.F_OK):
                return Trouble.DANGLING if path.is_symlink() else Trouble.ABSENT, above
            if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
                return Trouble.LOCKED, above
        return Trouble.EMPTY if self._is_empty(place) else Trouble.NONE, place

    def _is_empty(self, place: str) -> bool:
        path = self.root.locate(place)
        if not path.is_dir():
            return path.stat().st_size == 0
        with os.scandir(path) as entries:
            return all(entry.name.startswith(".") for entry in entries)

    def look_for(self, places: Paths) -> list[str]:
        """Files or folders elsewhere that are called like one of the places, and nobody's.

        The more of the last folders agree, the earlier they come.
        """
        names = {PurePosixPath(place).name for place in places}
        candidates = (path for path, _ in self._walk() if path.rpartition("/")[2] in names)
        return _nearest((c for c in candidates if c not in {*self.claimed, *places}), places[0])

    def folders_with(self, files: Collection[str], place: str) -> list[str]:
        """Folders other than a place that hold all of some files, those like it first."""
        found = (
            folder
            for folder, is_folder in self._walk()
            if is_folder and folder != place and all(self.exists(f"{folder}/{f}") for f in files)
        )
        return _nearest(found, place)

    def files(self, suffixes: tuple[str, ...]) -> list[str]:
        """Files with these endings, outside crowded folders."""
        return [path for path, folder in self._walk() if not folder and path.endswith(suffixes)]

    def _walk(self) -> list[tuple[str, bool]]:
        if self._walked is None:
            self._walked = list(_walk(self.root))
        return self._walked


def _nearest(found: Iterator[str], place: str) -> list[str]:
    wanted = PurePosixPath(place).parts
    return sorted(found, key=lambda path: (-_shared_tail(path, wanted), path))


def _shared_tail(path: str, wanted: tuple[str, ...]) -> int:
    pairs = zip(reversed(PurePosixPath(path).parts), reversed(wanted), strict=False)
    count = 0
    for ours, theirs in pairs:
        if ours != theirs:
            break
        count += 1
    return count


def _list(folder: Path) -> Iterator[str]:
    links: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.append(entry.name)
                else:
                    yield entry.name
    except OSError:
        return
    if not all(os.access(folder / name, os.F_OK) for name in links[:_LINKS]):
        links = [name for name in links if os.access(folder / name, os.F_OK)]
    yield from links


def _walk(root: DataRoot) -> Iterator[tuple[str, bool]]:
    """Paths, and whether they are folders; no files of crowded folders; links followed once."""
    waiting, seen = [("", 0)], set[tuple[int, int]]()
    while waiting:
        folder, depth = waiting.pop()
        here = root.path / folder
        try:
            status = here.stat()
            entries = _entries(here)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for name, is_folder in entries:
            path = f"{folder}/{name}" if folder else name
            if not _is_plain(path):
                continue
            if is_folder and depth < _DEEPEST:
                waiting.append((path, depth + 1))
            yield path, is_folder


def _is_plain(path: str) -> bool:
    """Whether a place may be called so."""
    try:
        safe_place(path)
    except UnsafePathError:
        return False
    return True


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Sorted; of a crowded folder only the folders in it, and no link is followed there."""
    few: list[os.DirEntry[str]] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(few) <= _CROWDED:
                few.append(entry)
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
    if len(few) > _CROWDED:
        return sorted((name, True) for name in folders)
    return sorted((entry.name, _is_folder(entry)) for entry in few)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
