"""Label maps: upstream's PNG in, an 8-bit mode-L PNG of class ids at the stored size out. Pure."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from convert.errors import ImageBudgetError, LabelMapError, SizeMismatchError
from convert.image.decode import PIL_ERRORS
from convert.image.policy import ImagePolicy
from convert.record import LabelTable
from shards.sample import LabelMap, Size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_GRAY, _PALETTE = 0, 3
_LEVEL, _WINDOW, _MEMORY = 6, 15, 9
_INFLATE_ERROR: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # a stub's slip
_DAMAGED = (struct.error, ValueError, IndexError, _INFLATE_ERROR)


def read_plain_png(data: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """Values of the pixels, uint8 [height, width]: of a palette PNG its indices.

    None where it is anything but a whole, plain PNG: 8 bits, gray or palette, not interlaced, no
    row filtered. A general decoder must look at it then.
    """
    try:
        chunks = list(_read_chunks(data))
        (first, head), rest = chunks[0], chunks[1:]
        width, height, depth, kind, *methods = _HEADER.unpack(head)
        plain = (first, depth, methods) == (b"IHDR", 8, [0, 0, 0]) and kind in {_GRAY, _PALETTE}
        if not plain or not 0 < height * width <= max_pixels:
            return None
        packed = b"".join(content for name, content in rest if name == b"IDAT")
        stream = isal_zlib.decompressobj()
        size = height * (width + 1)
        start = stream.decompress(packed, min(2, height) * (width + 1))
        if start[:: width + 1].strip(b"\0"):
            return None  # the first rows tell already: as a rule, all are filtered or none is
        rows = start + stream.decompress(stream.unconsumed_tail, size - len(start) + 1)
    except _DAMAGED:
        return None
    if len(rows) != size or not stream.eof:
        return None
    grid = np.frombuffer(rows, np.uint8).reshape(height, width + 1)
    return None if grid[:, 0].any() else grid[:, 1:]


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of every chunk, up to the end's."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    place, name = len(_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[place + 4 : end]) != checksum:
            raise ValueError("a chunk is damaged")
        yield name, data[place + 8 : end]
        place = end + 4


def write_gray_png(values: NDArray[np.uint8]) -> bytes:
    """A gray PNG of uint8 [height, width].

    No filter, and matches at a distance of one alone: for label maps that is as small as the best
    of the usual settings, at a quarter of the time.
    """
    height, width = values.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = values
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_RLE)
    packed = stream.compress(rows.tobytes()) + stream.flush()
    head = _HEADER.pack(width, height, 8, _GRAY, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


_VALUES = 256
_IGNORE = 255


def store_labels(
    data: bytes, table: LabelTable, size: Size, stored: Size, policy: ImagePolicy
) -> LabelMap:
    """Map upstream's values to class ids and reduce by nearest neighbour.

    A palette PNG counts by its indices: several classes share a colour, so colours say nothing.

    Raises:
        LabelMapError: if it does not decode, is not 8 bits a pixel, or holds an unknown value.
        SizeMismatchError: if it is not of the photo's size.
        ImageBudgetError: if it has too many pixels.
    """
    found = read_label_size(data, policy)
    if found != size:
        raise SizeMismatchError(f"label map is {found}, the photo {size}")
    image = _decode(data, policy)
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


def _decode(data: bytes, policy: ImagePolicy) -> Image.Image:
    """The values as an image of mode L, whatever the palette."""
    plain = read_plain_png(data, policy.max_pixels)
    if plain is not None:
        return Image.fromarray(np.ascontiguousarray(plain))
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return Image.fromarray(np.asarray(image))
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map does not decode: {error}") from error


def read_label_size(data: bytes, policy: ImagePolicy) -> Size:
    """The size of a label map, without decoding it.

    Raises:
        LabelMapError: if it is no PNG, or not one byte a pixel.
        ImageBudgetError: if it has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            size, mode = Size(image.height, image.width), image.mode
    except PIL_ERRORS as error:
        raise LabelMapError(f"label map is no PNG; it begins with {data[:16]!r}") from error
    if mode not in {"L", "P"}:
        raise LabelMapError(f"label map is of mode {mode}; expected one byte a pixel (L or P)")
    if size.height * size.width > policy.max_pixels:
        raise ImageBudgetError(f"label map of {size}, the limit is {policy.max_pixels} pixels")
    return size
