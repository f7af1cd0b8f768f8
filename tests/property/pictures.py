"""Drawn photos for tests: every kind of JPEG that Pillow and libjpeg can write."""

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from convert.image import transcode
from convert.image.header import EOI, SOI, SOS, read_jpeg_header, read_photo_header
from convert.image.policy import ImagePolicy
from convert.image.store import store, strip_jpeg
from shards.sample import EncodedImage, Size

POLICY = ImagePolicy(longest_side=1024, max_pixels=200_000)
ORIENTATION = 0x0112
START, END = bytes((0xFF, SOI)), bytes((0xFF, EOI))


def paint(height: int, width: int, bands: int = 3, *, seed: int = 0) -> NDArray[np.uint8]:
    """A gradient with some noise: uint8 [height, width, bands], with no two rows alike."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    ramps = [(rows * (3 + b) + columns * (5 - b) + 40 * b) % 256 for b in range(bands)]
    noise = rng.integers(0, 24, (height, width, bands))
    return (np.stack(ramps, axis=-1) * 0.8 + noise).astype(np.uint8)


def picture(height: int, width: int, mode: str = "RGB") -> Image.Image:
    pixels = paint(height, width, len(mode))
    return Image.fromarray(pixels[..., 0] if len(mode) == 1 else pixels, mode=None).convert(mode)


def save(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def jpeg(height: int = 48, width: int = 64, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG by Pillow, or by simplejpeg if `sampling` names one that only it can write."""
    if "sampling" in options:
        pixels = paint(height, width)
        return bytes(simplejpeg.encode_jpeg(pixels, colorsubsampling=options["sampling"]))
    if mode == "CMYK":
        return save(
            Image.frombytes("CMYK", (width, height), paint(height, width, 4).tobytes()), **options
        )
    return save(picture(height, width, mode), **options)


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """(marker, content) up to the first scan, read independently of the code under test."""
    found, position = [], 2
    while True:
        _, marker, length = struct.unpack_from(">BBH", data, position)
        found.append((marker, data[position + 4 : position + 2 + length]))
        position += 2 + length
        if marker == SOS:
            return found


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """The same photo with one more segment right after its beginning."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[2:]


def flat_jpeg(factors: Sequence[tuple[int, int]], size: Size) -> bytes:
    """A gray photo whose components are sampled by `factors`, written bit by bit.

    Every block says "no change, nothing more" in the codes of the standard's tables (annex K).
    """
    parts = [START]
    for marker, content in segments(save(Image.new("RGB", (8, 8), (128, 128, 128)), subsampling=0)):
        body = content
        if marker == 0xC0:
            body = content[:1] + struct.pack(">HH", size.height, size.width) + content[5:6]
            for number, (across, down) in enumerate(factors):
                body += bytes((number + 1, across << 4 | down, min(number, 1)))
        parts.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
    most = [max(pair[axis] for pair in factors) for axis in (0, 1)]
    units = -(-size.width // (8 * most[0])) * -(-size.height // (8 * most[1]))
    unit = "".join(
        ("0000" if number else "001010") * across * down
        for number, (across, down) in enumerate(factors)
    )
    bits = unit * units
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8)
    return b"".join([*parts, scan.replace(b"\xff", b"\xff\0"), END])


def stored(
    data: bytes, policy: ImagePolicy = POLICY, *, apply_orientation: bool = True
) -> EncodedImage:
    """The stored photo, at its own size."""
    return store_with(data, policy, apply_orientation=apply_orientation)[0]


def store_with(
    data: bytes, policy: ImagePolicy = POLICY, *, apply_orientation: bool = True
) -> tuple[EncodedImage, str]:
    header = read_photo_header(data, policy)
    size = header.upright if apply_orientation else header.size
    return store(data, header, size, policy, apply_orientation=apply_orientation)


def strip(data: bytes) -> bytes:
    """The photo without metadata."""
    return strip_jpeg(data, read_jpeg_header(data))


def to_baseline(data: bytes) -> bytes | None:
    """The photo coded anew as baseline."""
    size = read_jpeg_header(data).size
    return transcode.to_baseline(strip(data), size.height * size.width)


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        found: NDArray[np.uint8] = np.asarray(image)
        return found
