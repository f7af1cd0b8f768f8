"""Files that are not what their names say, recognised by their first and last bytes."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from convert.sources.files import DataRoot

_HEAD = 512
_SPACE = b" \t\r\n\0"
_STARTS = (
    (b"<", "is a web page: the address gave that instead of the file"),
    (b"version https://git-lfs", "is a pointer of Git LFS: the file itself was not downloaded"),
    (b"PK\x03\x04", "is a zip archive under another name"),
    (b"\x1f\x8b", "is packed by gzip"),
)
_ENDS = {".json": b"]}", ".p": b"."}


def find_damaged(paths: Iterable[str], root: DataRoot) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) of files that are not annotations."""
    for path in paths:
        file = root.locate(path)
        if file.is_file():
            damage = _inspect(file)
            if damage:
                yield path, damage


def _inspect(file: Path) -> str:
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(-min(_HEAD, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        tail = stream.read().rstrip(_SPACE)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    for magic, damage in _STARTS:
        if start.startswith(magic):
            return damage
    if file.suffix == ".json" and start[:1] not in {b"{", b"["}:
        return f"is not JSON: it begins with {start[:40].decode(errors='replace')!r}"
    ends = _ENDS.get(file.suffix)
    return "is cut short" if ends and tail[-1:] not in {bytes([end]) for end in ends} else ""
