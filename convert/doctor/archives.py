"""Archives that were downloaded but not unpacked. Only the names of their files are read."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath

from convert.doctor.commands import unpack
from convert.doctor.listing import FolderListing
from convert.record import Paths

TARS = (".tar", ".tar.gz", ".tgz")
ARCHIVES = (".zip", *TARS)
_MAX_TAR_NAMES = 500
"""Names that are read of a tar. It has no index: to find the next name, it must be read."""
_BROKEN = (
    OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile,
    tarfile.TarError,
)  # fmt: skip


def find_archive(
    wanted: Sequence[Paths], listing: FolderListing, suffixes: tuple[str, ...] = ARCHIVES
) -> str:
    """A command that unpacks an archive so that each file is at one of its paths.

    "" if no archive holds all the files.
    """
    for archive in listing.files(suffixes):
        names = _names(listing.root.locate(archive))
        folders = [set(_folders(archive, paths, names)) for paths in wanted]
        common = set.intersection(*folders) if folders else set()
        if common:
            return unpack(archive, min(common, key=lambda f: (-_shared(f, archive), f)))
    return ""


def find_broken_archive(paths: Paths, listing: FolderListing) -> str:
    """A file with the name of an archive of one of the paths that cannot be opened; "" if none."""
    named = {PurePosixPath(path).name + suffix for path in paths for suffix in ARCHIVES}
    named_so = (a for a in listing.files(ARCHIVES) if a.rpartition("/")[2] in named)
    return next((a for a in named_so if not _names(listing.root.locate(a))), "")


def _folders(archive: str, paths: Paths, names: frozenset[str]) -> Iterator[str]:
    """Yield the folders into which to unpack the archive, so that one of the paths exists.

    Many archives hold a file of a common name, such as train.json. A name without a folder counts
    only if the archive is in the folder where the file should be.
    """
    beside = archive.rpartition("/")[0]
    for path in paths:
        parts = path.split("/")
        for start in range(len(parts)):
            folder, tail = "/".join(parts[:start]), "/".join(parts[start:])
            if tail in names and (start < len(parts) - 1 or folder == beside):
                yield folder


def _shared(folder: str, archive: str) -> int:
    pairs = zip(folder.split("/"), archive.split("/"), strict=False)
    return sum(ours == theirs for ours, theirs in pairs)


def _names(archive: Path) -> frozenset[str]:
    """Files and folders in an archive; the first ones of a tar; none if it is broken."""
    try:
        status = archive.stat()
    except OSError:
        return frozenset()
    return _read_names(archive, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=64)
def _read_names(archive: Path, stamp: tuple[int, int]) -> frozenset[str]:
    del stamp  # a key of the cache: another file has other names
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                files = zipped.namelist()
        else:
            with tarfile.open(archive) as tarred:
                files = [member.name for member in islice(tarred, _MAX_TAR_NAMES)]
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
