"""The structure of a JPEG file (ITU-T T.81, annex B), read and rewritten without decoding it."""

import importlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from convert.errors import ImageDecodeError
from shards.sample import Size

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
_SOF = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_SOF = frozenset((0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_NEEDED = frozenset((0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA))
"""Frame header, Huffman and quantisation tables, restart interval, scan: what decoding needs."""
_FF, _RST0, _RST7 = 0xFF, 0xD0, 0xD7
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Inside a scan 0xFF is followed by 0x00 (a data byte) or a restart marker."""
_SAMPLING: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
    ((1, 2), (1, 1), (1, 1)): "4:4:0",
    ((4, 1), (1, 1), (1, 1)): "4:1:1",
}
_RGB_IDS = (ord("R"), ord("G"), ord("B"))
_GRAY, _COLOUR, _FOUR = 1, 3, 4


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the markers before the first scan say.

    Attributes:
        coding: baseline, extended or progressive.
        colour: gray, YCbCr, RGB, CMYK or YCCK.
        sampling: "4:2:0" and so on; "" where chroma has no such name.
        orientation: EXIF's, 1 to 8; 1 where there is none or it cannot be read.
        profile: whether it brings a colour profile.
    """

    size: Size
    coding: str
    precision: int
    colour: str
    sampling: str
    orientation: int = 1
    profile: bool = False


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Parse the markers up to the first scan.

    Raises:
        ImageDecodeError: if the file ends before, or uses a coding nobody decodes.
    """
    orientation, adobe, jfif, profile = 1, None, False, False
    frame: bytes | None = None
    coding = ""
    for marker, start, stop in _segments(data):
        body = data[start + 4 : stop]
        if marker in _SOF:
            frame, coding = body, _SOF[marker]
        elif marker in _OTHER_SOF:
            raise ImageDecodeError(f"JPEG of a kind nobody decodes (marker 0xFF{marker:02X})")
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == _APP1 and body.startswith(b"Exif\0\0"):
            orientation = exif_orientation(body[6:])
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0"):
            profile = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:  # noqa: PLR2004
            adobe = body[11]
        elif marker == SOS:
            break
    if frame is None:
        raise ImageDecodeError("JPEG ends before it says its size")
    header = _header(frame, coding, adobe, jfif=jfif)
    return replace(header, orientation=orientation, profile=profile)


def _header(frame: bytes, coding: str, adobe: int | None, *, jfif: bool) -> JpegHeader:
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:  # noqa: PLR2004
        raise ImageDecodeError("JPEG's frame header is cut short")
    precision, height, width, count = struct.unpack_from(">BHHB", frame)
    if height == 0 or width == 0:
        raise ImageDecodeError(f"JPEG says its size is {width}x{height}")
    components = [frame[6 + 3 * i : 9 + 3 * i] for i in range(count)]
    factors = tuple((part[1] >> 4, part[1] & 15) for part in components)
    return JpegHeader(
        size=Size(height, width),
        coding=coding,
        precision=precision,
        colour=_colour(tuple(part[0] for part in components), adobe, jfif=jfif),
        sampling=_SAMPLING.get(factors, ""),
    )


def _colour(ids: tuple[int, ...], adobe: int | None, *, jfif: bool) -> str:
    # The rules libjpeg follows (jdapimin.c, default_decompress_parms).
    if len(ids) == _GRAY:
        return "gray"
    if len(ids) == _COLOUR:
        if jfif or adobe == 1:
            return "YCbCr"
        return "RGB" if adobe == 0 or (adobe is None and ids == _RGB_IDS) else "YCbCr"
    if len(ids) == _FOUR:
        return "YCCK" if adobe == 2 else "CMYK"  # noqa: PLR2004
    raise ImageDecodeError(f"JPEG with {len(ids)} components")


def strip_jpeg(data: bytes) -> bytes:
    """The same picture without EXIF, profiles, thumbnails, comments and trailing bytes.

    Quantised coefficients are copied bit for bit. The JFIF and Adobe markers stay: they say
    which colour space the components are in.

    Raises:
        ImageDecodeError: if the file ends before its end marker.
    """
    parts = [data[:2]]
    scan = 0
    for marker, start, stop in _segments(data):
        if scan:
            parts.append(data[scan:start])
        scan = stop if marker == SOS else 0
        colour = (marker == _APP0 and data.startswith(b"JFIF\0", start + 4)) or (
            marker == _APP14 and data.startswith(b"Adobe", start + 4)
        )
        if marker in _NEEDED or colour:
            parts.append(data[start:stop])
    parts.append(b"\xff\xd9")
    return b"".join(parts)


def find_end_of_scan(data: bytes, start: int) -> int:
    """Where the first marker after a scan's data is; -1 if there is none.

    numpy looks at a megabyte in 0.2 ms, re in 1; compiled it is 0.05.
    """
    bytes_ = np.frombuffer(data, np.uint8, offset=start)
    places = np.flatnonzero(bytes_[:-1] == _FF)
    after = bytes_[places + 1]
    ends = places[(after != 0) & (after != _FF) & ((after < _RST0) | (after > _RST7))]
    return start + int(ends[0]) if ends.size else -1


def _choose_search() -> Callable[[bytes, int], int]:
    try:
        module = importlib.import_module("convert.image._jpeg_scan")
    except ImportError:
        return find_end_of_scan
    found: Callable[[bytes, int], int] = module.end_of_scan
    return found


_search = _choose_search()


def _end_of_scan(data: bytes, start: int) -> int:
    """The same.

    Raises:
        ImageDecodeError: if there is none.
    """
    end = _search(data, start)
    if end < 0:
        raise ImageDecodeError("JPEG ends inside its picture data")
    return end


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, stop) of each marker segment, the end marker last; scan data is skipped."""
    position = 2
    while True:
        found = _NEXT_MARKER.search(data, position)
        if found is None:
            raise ImageDecodeError("JPEG ends without an end marker")
        start = found.start()
        marker = data[start + 1]
        if marker == EOI:
            yield marker, start, start + 2
            return
        if marker in (0x01, SOI):
            position = start + 2
            continue
        if start + 4 > len(data):
            raise ImageDecodeError("JPEG ends inside a marker")
        stop = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if stop > len(data) or stop < start + 4:
            raise ImageDecodeError("JPEG ends inside a marker segment")
        yield marker, start, stop
        position = _end_of_scan(data, stop) if marker == SOS else stop


def exif_orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory of an EXIF block; 1 if absent or unreadable.

    >>> exif_orientation(bytes.fromhex("4d4d002a00000008" "0001" "011200030000000100060000"))
    6
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * number)
            if tag == 0x0112 and kind == 3:  # noqa: PLR2004
                return value if 1 <= value <= 8 else 1  # noqa: PLR2004
    except struct.error:
        return 1
    return 1
