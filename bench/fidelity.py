"""How much fidelity do scaling and encoding cost? These figures are behind the defaults.

`python -m bench.fidelity [FOLDER...]` uses the photos of the folders. Without a folder, photos are
drawn, which have less detail than real ones. PSNR in dB over all channels, against exact pixels.
"""

import io
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from bench.harness.measure import machine, say, versions
from bench.harness.photos import by_size
from convert.errors import ImageDecodeError
from convert.geometry import fit_longest_side
from convert.image.header import PhotoHeader, read_photo_header
from convert.image.policy import ImagePolicy
from convert.image.store import decode_rgb
from shards.sample import Size

POLICY = ImagePolicy()
REDUCTIONS = (2.0, 2.2, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
QUALITIES = (85, 90, 92, 95, 98)
SAMPLINGS = ("4:2:0", "4:4:4")
_LEAST_SIDE = 300
"""Pixels; smaller photos are too small at an eighth of their size."""


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two images of one size, in dB."""
    difference = np.asarray(one.convert("RGB"), np.float64) - np.asarray(other.convert("RGB"))
    return float(10 * np.log10(255**2 / max(float(np.square(difference).mean()), 1e-9)))


def main() -> None:
    """Print both tables."""
    parser = ArgumentParser(prog="python -m bench.fidelity")
    parser.add_argument("photos", type=Path, nargs="*", help="folders of real photos")
    typed = parser.parse_args()
    groups = by_size(typed.photos)
    photos = [photo for group in groups.values() for photo in map(_open, group) if photo]
    large = [photo for name in ("medium", "large") for photo in map(_open, groups.get(name, ()))]
    say("bench.fidelity", machine(), versions("simplejpeg", "pillow-simd", "pillow"), "")
    say(f"the decoder halves, the resize does the rest: dB of {len(photos)} photos")
    for line in scaling(photos):
        say(line)
    say("", f"encoding at {POLICY.longest_side}: dB and bytes of the larger photos")
    for line in encoding([photo for photo in large if photo]):
        say(line)


def _open(data: bytes) -> tuple[bytes, PhotoHeader, Image.Image] | None:
    header = read_photo_header(data, POLICY)
    if header.jpeg is None or min(header.size.height, header.size.width) < _LEAST_SIDE:
        return None
    try:
        return data, header, decode_rgb(data, header)
    except ImageDecodeError:
        return None


def _resize(image: Image.Image, size: Size) -> Image.Image:
    return image.resize((size.width, size.height), Image.Resampling.BILINEAR)


def scaling(photos: Sequence[tuple[bytes, PhotoHeader, Image.Image]]) -> Iterator[str]:
    """A line for each reduction: the factor left to the resize, the worst photo, the median."""
    for shrink, reduction in product((2, 4), REDUCTIONS):
        if reduction < shrink:
            continue
        ratios = []
        for data, header, whole in photos:
            size = Size(*(round(side / reduction) for side in (whole.height, whole.width)))
            scaled = _resize(decode_rgb(data, header, shrink), size)
            ratios.append(psnr(scaled, _resize(whole, size)))
        rest = reduction / shrink
        yield (
            f"  1/{shrink} for a reduction by {reduction:.1f}, of which {rest:.2f} are left: "
            f"worst {min(ratios):.1f}, median {median(ratios):.1f}"
        )


def encoding(photos: Sequence[tuple[bytes, PhotoHeader, Image.Image]]) -> Iterator[str]:
    """A line for each quality and sampling."""
    small = [_resize(w, fit_longest_side(h.size, POLICY.longest_side)) for _, h, w in photos]
    for sampling, quality in product(SAMPLINGS, QUALITIES):
        encode = _encoder(quality, sampling)
        coded = [encode(image) for image in small]
        ratios = [psnr(Image.open(io.BytesIO(c)), s) for c, s in zip(coded, small, strict=True)]
        yield (
            f"  quality {quality}, {sampling}: worst {min(ratios):.1f}, median "
            f"{median(ratios):.1f} dB, {median(map(len, coded)) / 1000:.0f} kB"
        )


def _encoder(quality: int, sampling: str) -> Callable[[Image.Image], bytes]:
    def encode(image: Image.Image) -> bytes:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, subsampling=sampling)
        return out.getvalue()

    return encode


if __name__ == "__main__":
    main()
