"""Commands that mend a data folder, to be typed in it.

They link and unpack, move nothing, and refuse where something would be overwritten. They are
GNU's: the job runs on Linux.
"""

from convert.doctor.survey import Survey, Trouble
from convert.sources.files import DataRoot


def link(target: str, place: str, survey: Survey) -> str:
    """Make a place lead to what was found elsewhere.

    The program `ln` makes the link relative: a folder above may be a link to another disk.
    """
    trouble, above = survey.diagnose(place)
    parent, _, _ = place.rpartition("/")
    make = f"mkdir -p {quote(parent)} && " if parent else ""
    linked = f"ln -sr {quote(target)} {quote(place)}"
    if trouble is Trouble.ABSENT:
        return f"{make}{linked}"
    if trouble is Trouble.DANGLING:
        inside = place.removeprefix(above)
        if target.endswith(inside):
            return f"ln -srfT {quote(target.removesuffix(inside))} {quote(above)}"
        return f"rm {quote(above)} && {make}{linked}"
    if trouble is Trouble.EMPTY and _can_be_removed(survey.root, place):
        return f"rmdir {quote(place)} && {linked}"
    each = "-mindepth 1 -maxdepth 1 -exec ln -srt"
    return f"find {quote(target + '/')} {each} {quote(place)} {{}} +"


def unpack(archive: str, folder: str) -> str:
    """Unpack beside what is there already."""
    into = quote(folder or ".")
    make = f"mkdir -p {into} && " if folder else ""
    if archive.endswith(".zip"):
        return f"{make}unzip -nq {quote(archive)} -d {into}"
    return f"{make}tar --skip-old-files -xf {quote(archive)} -C {into}"


def unlock(place: str) -> str:
    """Let the owner read."""
    return f"chmod -R u+rX {quote(place)}"


def quote(path: str) -> str:
    """A path as a shell takes it; one that begins with a dash is no option."""
    path = f"./{path}" if path.startswith("-") else path
    plain = all((c.isascii() and c.isalnum()) or c in "/._+-" for c in path)
    return path if plain else "'" + path.replace("'", "'\\''") + "'"


def _can_be_removed(root: DataRoot, place: str) -> bool:
    path = root.locate(place)
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())
