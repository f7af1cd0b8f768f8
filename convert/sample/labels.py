"""Label maps: upstream's PNG in, an 8-bit mode-L PNG of class ids at the stored size out. Pure."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from convert.errors import LabelMapError, SizeMismatchError
from convert.image.header import PIL_ERRORS, LabelMapHeader
from convert.record import LabelTable
from shards.sample import LabelMap, Size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_GRAY, _PALETTE = 0, 3
_LEVEL, _WINDOW, _MEMORY = 6, 15, 9
_INFLATE_ERROR: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # a stub's slip
_DAMAGED = (struct.error, ValueError, IndexError, _INFLATE_ERROR)
_VALUES = 256
_IGNORE = 255


def store_labels(
    data: bytes, header: LabelMapHeader, table: LabelTable, size: Size, stored: Size
) -> LabelMap:
    """Map upstream's values to class ids and reduce by nearest neighbour.

    A palette PNG counts by its indices: several classes share a colour, so colours say nothing.

    Args:
        data: the label map's file.
        header: of the label map.
        table: what the values mean.
        size: of the photo, upright as it is annotated.
        stored: of the stored photo.

    Raises:
        LabelMapError: if it does not decode, or holds an unknown value.
        SizeMismatchError: if it is not of the photo's size.
    """
    if header.size != size:
        raise SizeMismatchError(f"label map is {header.size}, the photo {size}")
    image = _decode(data, header)
    # Pillow's histogram, not bincount, which is six times as slow.
    counts = np.array(image.histogram()[:_VALUES])
    unknown = np.flatnonzero((counts > 0) & (np.frombuffer(table.known, np.uint8) == 0))
    if unknown.size:
        raise LabelMapError(
            f"label map holds the values {unknown[:5].tolist()}, which table {table.name!r} does "
            f"not know; is this another edition of the dataset?"
        )
    if size != stored:
        image = image.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    # After the resize, which only picks pixels, there are fewer of them to look up.
    ids = np.frombuffer(table.lookup, np.uint8)[np.asarray(image)]
    present = np.flatnonzero(Image.fromarray(ids).histogram()[:_IGNORE])
    return LabelMap(write_gray_png(ids), table.name, tuple(present.tolist()))


def _decode(data: bytes, header: LabelMapHeader) -> Image.Image:
    """The values as an image of mode L, whatever the palette."""
    shape = header.size.height, header.size.width
    plain = read_plain_png(data, header.size.height * header.size.width)
    if plain is not None and plain.shape == shape:  # a damaged file may give its size twice
        return Image.fromarray(np.ascontiguousarray(plain))
    try:
        return Image.fromarray(np.asarray(header.opened))
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map does not decode: {error}") from error


def read_plain_png(data: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """Values of the pixels, uint8 [height, width]: of a palette PNG its indices.

    Returns:
        None unless it is a plain PNG without damage: 8 bits, gray or palette, not interlaced, no
        row filtered, at most `max_pixels`. Another decoder then says what it is.
    """
    try:
        chunks = list(_read_chunks(data))
        (first, fields), rest = chunks[0], chunks[1:]
        width, height, depth, kind, *methods = _HEADER.unpack(fields)
        plain = (first, depth, methods) == (b"IHDR", 8, [0, 0, 0]) and kind in {_GRAY, _PALETTE}
        if not plain or not 0 < height * width <= max_pixels:
            return None
        packed = b"".join(content for name, content in rest if name == b"IDAT")
        stream = isal_zlib.decompressobj()
        size = height * (width + 1)
        start = stream.decompress(packed, min(2, height) * (width + 1))
        if start[:: width + 1].strip(b"\0"):
            return None  # early: as a rule, all rows are filtered or none is
        rows = start + stream.decompress(stream.unconsumed_tail, size - len(start) + 1)
    except _DAMAGED:
        return None
    if len(rows) != size or not stream.eof:
        return None
    grid = np.frombuffer(rows, np.uint8).reshape(height, width + 1)
    return None if grid[:, 0].any() else grid[:, 1:]


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of every chunk, IEND last."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("not a PNG")
    position, name = len(_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, position)
        stop = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, stop)
        if zlib.crc32(data[position + 4 : stop]) != checksum:
            raise ValueError("a chunk is damaged")
        yield name, data[position + 8 : stop]
        position = stop + 4


def write_gray_png(values: NDArray[np.uint8]) -> bytes:
    """A gray PNG of uint8 [height, width].

    Rows have no filter and zlib searches for runs only (`Z_RLE`). For label maps the file is as
    small as with the best of the usual settings, in a quarter of the time.
    """
    height, width = values.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = values
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_RLE)
    packed = stream.compress(rows.tobytes()) + stream.flush()
    fields = _HEADER.pack(width, height, 8, _GRAY, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", fields) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
