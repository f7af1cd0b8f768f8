"""Files that a config or an annotation names, found and read below the data's root."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from convert.errors import ImageBudgetError, SourceLayoutError, UnsafePathError
from convert.record import Paths

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG))
"""Errors of `open` that mean that there is no such photo, however odd its name."""


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder with all downloads. It is never written to.

    Records, plans and quarantine rows hold paths relative to it, so that the location of the data
    decides no byte of a shard.
    """

    path: Path

    def find(self, paths: Paths) -> str | None:
        """The first path that exists, or None."""
        return next((path for path in paths if self.locate(path).exists()), None)

    def read_annotation(self, path: str) -> bytes:
        """The content of an annotation file.

        Raises:
            SourceLayoutError: if it cannot be read.
        """
        try:
            return self.locate(path).read_bytes()
        except OSError as error:
            raise SourceLayoutError(
                f"{path}: {error.strerror}; expected a readable file"
            ) from error

    def names(self, folder: str, suffix: str) -> list[str]:
        """Sorted names of the files in a folder that end in `suffix`, without hidden files.

        Raises:
            SourceLayoutError: if the folder cannot be listed.
        """
        try:
            with os.scandir(self.locate(folder)) as entries:
                names = [entry.name for entry in entries]
        except OSError as error:
            raise SourceLayoutError(f"{folder}: {error.strerror}; expected a folder") from error
        return sorted(name for name in names if name.endswith(suffix) and name[0] != ".")

    def read_first(self, paths: Paths, *, max_bytes: int) -> tuple[str, bytes] | None:
        """(path, content) of the first path that exists, or None.

        Raises:
            UnsafePathError: if a path would leave the root.
            ImageBudgetError: if the file is larger than `max_bytes`; it is not read.
            OSError: if a file exists but cannot be read: a fault of the machine, not of the data.
        """
        for path in paths:
            try:
                with self.locate(path).open("rb") as stream:
                    size = os.fstat(stream.fileno()).st_size
                    if size > max_bytes:
                        raise ImageBudgetError(f"{path}: {size} bytes, the limit is {max_bytes}")
                    return path, stream.read()
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
        return None

    def locate(self, path: str) -> Path:
        """The absolute path, for libraries that open files themselves.

        Raises:
            UnsafePathError: if it would leave the root.
        """
        return self.path / safe_path(path)


def safe_path(path: str) -> PurePosixPath:
    """The relative path, if it stays below the folder it is relative to.

    Links inside the data's folder belong to its owner and are followed. Names in an annotation
    file come from strangers and are checked.

    Raises:
        UnsafePathError: for an absolute path, `..`, a backslash, a control character, or half of a
            surrogate pair, which no file name can hold.
    """
    parsed = PurePosixPath(path)
    odd = any(c < " " or c == "\\" or "\ud800" <= c <= "\udfff" for c in path)
    if odd or parsed.is_absolute() or ".." in parsed.parts or not parsed.parts:
        raise UnsafePathError(f"{path!r}: expected a path below the data's folder")
    return parsed


def join_paths(folders: Iterable[str], name: str) -> Paths:
    """The paths of one file name in several folders."""
    return tuple(f"{folder}/{name}" for folder in folders)
