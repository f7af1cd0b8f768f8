"""Where a file that a config or an annotation names really is, below the data's root."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from convert.errors import ImageBudgetError, SourceLayoutError, UnsafePathError
from convert.record import Paths

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG))
"""What the system says of a name that no photo has, however strange the name."""


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder with everything that was downloaded. Only ever read.

    Records, plans and quarantine rows hold paths relative to it: where the data lies decides no
    byte of a shard.
    """

    path: Path

    def find(self, places: Paths) -> str | None:
        """The first place that exists, or None."""
        return next((place for place in places if self.locate(place).exists()), None)

    def read_annotation(self, place: str) -> bytes:
        """The content of an annotation file.

        Raises:
            SourceLayoutError: if it cannot be read.
        """
        try:
            return self.locate(place).read_bytes()
        except OSError as error:
            raise SourceLayoutError(
                f"{place}: {error.strerror}; expected a readable file"
            ) from error

    def names(self, folder: str, suffix: str) -> list[str]:
        """Sorted names of a folder's files that end in `suffix`; hidden ones are left out.

        Raises:
            SourceLayoutError: if the folder cannot be listed.
        """
        try:
            with os.scandir(self.locate(folder)) as entries:
                names = [entry.name for entry in entries]
        except OSError as error:
            raise SourceLayoutError(f"{folder}: {error.strerror}; expected a folder") from error
        return sorted(name for name in names if name.endswith(suffix) and name[0] != ".")

    def read_first(self, places: Paths, *, max_bytes: int) -> tuple[str, bytes] | None:
        """(place, content) of the first place that exists, or None.

        Raises:
            UnsafePathError: if a place would leave the root.
            ImageBudgetError: if the file is larger than `max_bytes`; it is not read.
            OSError: if a file exists but the disk will not give it; that is no fault of the data.
        """
        for place in places:
            try:
                with self.locate(place).open("rb") as stream:
                    size = os.fstat(stream.fileno()).st_size
                    if size > max_bytes:
                        raise ImageBudgetError(f"{place}: {size} bytes, the limit is {max_bytes}")
                    return place, stream.read()
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
        return None

    def locate(self, place: str) -> Path:
        """The path of a place, for libraries that open files themselves.

        Raises:
            UnsafePathError: if it would leave the root.
        """
        return self.path / safe_place(place)


def safe_place(place: str) -> PurePosixPath:
    """A relative path that stays below where it begins.

    Links inside the data's folder are the owner's business and are followed; names that come out
    of an annotation file are a stranger's.

    Raises:
        UnsafePathError: for an absolute path, `..`, a backslash, a control character or half of a
            surrogate pair, which no file name can hold.
    """
    path = PurePosixPath(place)
    odd = any(c < " " or c == "\\" or "\ud800" <= c <= "\udfff" for c in place)
    if odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise UnsafePathError(f"{place!r}: expected a path below the data's folder")
    return path


def join_places(folders: Iterable[str], name: str) -> Paths:
    """The same file name in each of several folders."""
    return tuple(f"{folder}/{name}" for folder in folders)
