"""Files and folders below the data's root. Folders are listed once; files are not probed singly."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from convert.errors import UnsafePathError
from convert.record import Paths
from convert.sources.files import DataRoot, safe_path

_MAX_DEPTH = 6
_CROWDED = 4000
"""A folder with more entries holds photos; a misplaced annotation file is not in there."""
_TESTED_LINKS = 20
"""Links of a folder that are followed. If one of them is broken, all are followed."""


class PathState(Enum):
    """Whether a path is of use; the value is the end of a sentence about it."""

    USABLE = ""
    ABSENT = "is not there"
    DANGLING = "is a link to what is not there"
    EMPTY = "is empty"
    LOCKED = "may not be read"


@dataclass(slots=True)
class FolderListing:
    """The data's folders, each listed once, when it is first needed.

    Attributes:
        root: of the data.
        claimed: paths that some source reads; what is there is not misplaced.
    """

    root: DataRoot
    claimed: Collection[str] = ()
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _walked: list[tuple[str, bool]] | None = None

    def has_any(self, paths: Paths) -> bool:
        """Whether there is something at one of the paths."""
        return any(self._has(path) for path in paths)

    def _has(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self.names(folder)

    def names(self, folder: str) -> frozenset[str]:
        """Names in a folder, without broken links; empty if the folder cannot be listed."""
        if folder not in self._names:
            path = self.root.locate(folder) if folder else self.root.path
            self._names[folder] = frozenset(_list(path))
        return self._names[folder]

    def exists(self, path: str) -> bool:
        """Whether there is something at a path, other than a broken link."""
        return os.access(self.root.locate(path), os.F_OK)

    def find(self, paths: Paths) -> str | None:
        """The first path that can be read and is not empty."""
        return next((path for path in paths if self.state(path) is PathState.USABLE), None)

    def state(self, path: str) -> PathState:
        """The state of a path."""
        return self.check(path)[0]

    def check(self, path: str) -> tuple[PathState, str]:
        """The state of a path, and the topmost folder above it, or itself, that causes it."""
        parts = PurePosixPath(path).parts
        for end in range(1, len(parts) + 1):
            above = "/".join(parts[:end])
            target = self.root.locate(above)
            if not os.access(target, os.F_OK):
                return PathState.DANGLING if target.is_symlink() else PathState.ABSENT, above
            if not os.access(target, os.R_OK | os.X_OK if target.is_dir() else os.R_OK):
                return PathState.LOCKED, above
        return PathState.EMPTY if self._is_empty(path) else PathState.USABLE, path

    def _is_empty(self, path: str) -> bool:
        target = self.root.locate(path)
        if not target.is_dir():
            return target.stat().st_size == 0
        with os.scandir(target) as entries:
            return all(entry.name.startswith(".") for entry in entries)

    def find_similar(self, paths: Paths) -> list[str]:
        """Unclaimed files or folders elsewhere with the name of one of the paths.

        Sorted by how many of their last folders agree with the first path, most first.
        """
        names = {PurePosixPath(path).name for path in paths}
        same = (path for path, _ in self._walk() if path.rpartition("/")[2] in names)
        return _sort_by_tail((p for p in same if p not in {*self.claimed, *paths}), paths[0])

    def folders_with(self, files: Collection[str], path: str) -> list[str]:
        """Folders other than `path` that hold all of some files, sorted by similarity to it."""
        folders = (
            folder
            for folder, is_folder in self._walk()
            if is_folder and folder != path and all(self.exists(f"{folder}/{f}") for f in files)
        )
        return _sort_by_tail(folders, path)

    def files(self, suffixes: tuple[str, ...]) -> list[str]:
        """Files with these suffixes, outside crowded folders."""
        return [path for path, folder in self._walk() if not folder and path.endswith(suffixes)]

    def _walk(self) -> list[tuple[str, bool]]:
        if self._walked is None:
            self._walked = list(_walk(self.root))
        return self._walked


def _sort_by_tail(paths: Iterator[str], wanted: str) -> list[str]:
    parts = PurePosixPath(wanted).parts
    return sorted(paths, key=lambda path: (-_shared_tail(path, parts), path))


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
    if not all(os.access(folder / name, os.F_OK) for name in links[:_TESTED_LINKS]):
        links = [name for name in links if os.access(folder / name, os.F_OK)]
    yield from links


def _walk(root: DataRoot) -> Iterator[tuple[str, bool]]:
    """Yield (path, whether it is a folder), without the files of crowded folders.

    A folder that several links lead to is walked once.
    """
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
            if not _is_safe(path):
                continue
            if is_folder and depth < _MAX_DEPTH:
                waiting.append((path, depth + 1))
            yield path, is_folder


def _is_safe(path: str) -> bool:
    try:
        safe_path(path)
    except UnsafePathError:
        return False
    return True


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Sorted (name, whether it is a folder); only the folders of a crowded folder, and no links."""
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
