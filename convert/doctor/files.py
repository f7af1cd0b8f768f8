"""Files that are not what their names say: told by a few bytes at their ends."""

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


def find_spoilt(places: Iterable[str], root: DataRoot) -> Iterator[tuple[str, str]]:
    """(place, what it is) of files that are no annotations at all."""
    for place in places:
        path = root.locate(place)
        if path.is_file():
            what = _sniff(path)
            if what:
                yield place, what


def _sniff(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(-min(_HEAD, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        tail = stream.read().rstrip(_SPACE)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    for magic, what in _STARTS:
        if start.startswith(magic):
            return what
    if path.suffix == ".json" and start[:1] not in {b"{", b"["}:
        return f"is no JSON: it begins with {start[:40].decode(errors='replace')!r}"
    ends = _ENDS.get(path.suffix)
    return "is cut short" if ends and tail[-1:] not in {bytes([end]) for end in ends} else ""
