"""Shell commands that repair a data folder; they are to be run in it.

They link and unpack. They move nothing and overwrite nothing. They need GNU's tools, as the job
runs on Linux.
"""

from convert.doctor.listing import FolderListing, PathState
from convert.sources.files import DataRoot


def link(target: str, path: str, listing: FolderListing) -> str:
    """A command that makes `path` a link to `target`, or fills the folder at `path` with links.

    `ln` computes the relative link itself: a folder above may be a link to another disk.
    """
    state, above = listing.check(path)
    parent, _, _ = path.rpartition("/")
    make = f"mkdir -p {quote(parent)} && " if parent else ""
    linked = f"ln -sr {quote(target)} {quote(path)}"
    if state is PathState.ABSENT:
        return f"{make}{linked}"
    if state is PathState.DANGLING:
        inside = path.removeprefix(above)
        if target.endswith(inside):
            return f"ln -srfT {quote(target.removesuffix(inside))} {quote(above)}"
        return f"rm {quote(above)} && {make}{linked}"
    if state is PathState.EMPTY and _can_be_removed(listing.root, path):
        return f"rmdir {quote(path)} && {linked}"
    each = "-mindepth 1 -maxdepth 1 -exec ln -srt"
    return f"find {quote(target + '/')} {each} {quote(path)} {{}} +"


def unpack(archive: str, folder: str) -> str:
    """A command that unpacks an archive into a folder and keeps existing files."""
    into = quote(folder or ".")
    make = f"mkdir -p {into} && " if folder else ""
    if archive.endswith(".zip"):
        return f"{make}unzip -nq {quote(archive)} -d {into}"
    return f"{make}tar --skip-old-files -xf {quote(archive)} -C {into}"


def unlock(path: str) -> str:
    """A command that lets the owner read what is at a path."""
    return f"chmod -R u+rX {quote(path)}"


def quote(path: str) -> str:
    """A path as one word of a shell command; a leading dash does not make it an option."""
    path = f"./{path}" if path.startswith("-") else path
    plain = all((c.isascii() and c.isalnum()) or c in "/._+-" for c in path)
    return path if plain else "'" + path.replace("'", "'\\''") + "'"


def _can_be_removed(root: DataRoot, path: str) -> bool:
    folder = root.locate(path)
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
