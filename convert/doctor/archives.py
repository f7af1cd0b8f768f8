"""Archives that were downloaded and never unpacked. Only their lists of names are read."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath

from convert.doctor.commands import unpack
from convert.doctor.survey import Survey
from convert.record import Paths

TARS = (".tar", ".tar.gz", ".tgz")
ARCHIVES = (".zip", *TARS)
_PEEKED = 500
"""Names that are read of a tar: it has no list of them, and must be read to find the next."""
_BROKEN = (
    OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile,
    tarfile.TarError,
)  # fmt: skip


def find_archive(
    wanted: Sequence[Paths], survey: Survey, suffixes: tuple[str, ...] = ARCHIVES
) -> str:
    """The command that puts files where one of their places is; "" if no archive has them all."""
    for archive in survey.files(suffixes):
        names = _names(survey.root.locate(archive))
        folders = [set(_folders(archive, options, names)) for options in wanted]
        common = set.intersection(*folders) if folders else set()
        if common:
            return unpack(archive, min(common, key=lambda f: (-_shared(f, archive), f)))
    return ""


def find_broken_archive(places: Paths, survey: Survey) -> str:
    """An archive that is called like one of the places, and is none."""
    named = {PurePosixPath(place).name + suffix for place in places for suffix in ARCHIVES}
    found = (a for a in survey.files(ARCHIVES) if a.rpartition("/")[2] in named)
    return next((a for a in found if not _names(survey.root.locate(a))), "")


def _folders(archive: str, places: Paths, names: frozenset[str]) -> Iterator[str]:
    """Where the archive could be unpacked for something to be at one of the places.

    A name alone, such as train.json, is that of many files: it counts if the archive lies in that
    folder.
    """
    beside = archive.rpartition("/")[0]
    for place in places:
        parts = place.split("/")
        for start in range(len(parts)):
            folder, tail = "/".join(parts[:start]), "/".join(parts[start:])
            if tail in names and (start < len(parts) - 1 or folder == beside):
                yield folder


def _shared(folder: str, archive: str) -> int:
    pairs = zip(folder.split("/"), archive.split("/"), strict=False)
    return sum(ours == theirs for ours, theirs in pairs)


def _names(archive: Path) -> frozenset[str]:
    """Files and folders of an archive; of a tar those at its beginning; none if it is broken."""
    try:
        status = archive.stat()
    except OSError:
        return frozenset()
    return _read_names(archive, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=64)
def _read_names(archive: Path, stamp: tuple[int, int]) -> frozenset[str]:
    del stamp  # of another file there are other names
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                files = zipped.namelist()
        else:
            with tarfile.open(archive) as tarred:
                files = [member.name for member in islice(tarred, _PEEKED)]
    except _BROKEN:
        return frozenset()
    return frozenset(_with_folders(files))


def _with_folders(files: Iterable[str]) -> Iterator[str]:
    seen: set[PurePosixPath] = set()
    for file in files:
        path = PurePosixPath(file)
        while path.name and path not in seen:
            seen.add(path)
            yield path.as_posix()
            path = path.parent
