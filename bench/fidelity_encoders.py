"""How much do the inputs of the two image encoders change when a photo is stored, by policy?

`python -m bench.fidelity_encoders [FOLDER...]` uses the photos of the folders. Without a folder,
photos are drawn, which have less detail than real ones. PSNR in dB of an encoder's input before it
is normalised, against the input from the downloaded photo. Photos that are stored unscaled keep
every pixel and are skipped.
"""

import io
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.harness.measure import machine, say, versions
from bench.harness.photos import by_size
from convert.errors import ImageDecodeError
from convert.geometry import fit_longest_side
from convert.image.header import PhotoHeader, read_photo_header
from convert.image.policy import Fidelity, ImagePolicy
from convert.image.store import decode_rgb, store
from shards.glamm.normalisation import CLIP, SAM, EncoderInput, Normalisation
from shards.glamm.pixels import clip_input, sam_input
from shards.sample import Size

POLICY = ImagePolicy()
QUALITIES = (85, 90, 95, 98)
INPUTS: dict[str, tuple[Normalisation, Callable[[Image.Image, Size], EncoderInput]]] = {
    "global, 336": (CLIP, lambda photo, original: clip_input(photo, 336, original)),
    "grounding, 1024": (SAM, lambda photo, _: _without_border(*sam_input(photo, 1024))),
}
"""Name -> its normalisation, and a function of the photo: the input without its padding."""


def main() -> None:
    """Print the table, as Markdown."""
    parser = ArgumentParser(prog="python -m bench.fidelity_encoders")
    parser.add_argument("photos", type=Path, nargs="*", help="folders of real photos")
    typed = parser.parse_args()
    contents = [data for group in by_size(typed.photos).values() for data in group]
    photos = [photo for photo in map(_open, contents) if photo is not None]
    say(
        "bench.fidelity_encoders",
        machine(),
        versions("simplejpeg", "pillow-simd", "pillow"),
        "",
    )
    say(f"{len(photos)} photos of {len(contents)} are larger than {POLICY.longest_side}", "")
    for line in table(photos):
        say(line)


def table(photos: Sequence[tuple[bytes, PhotoHeader]]) -> Iterator[str]:
    """A row for each policy: median and worst dB of both inputs, and the median size."""
    yield f"| fidelity | quality | {' | '.join(f'{name}: median, worst' for name in INPUTS)} | kB |"
    yield "|---|---|---|---|---|"
    before = [_inputs(decode_rgb(data, header), header.size) for data, header in photos]
    fidelities: tuple[Fidelity, ...] = get_args(Fidelity)
    for fidelity, quality in product(fidelities, QUALITIES):
        policy = replace(POLICY, fidelity=fidelity, quality=quality)
        stored = [_store(data, header, policy) for data, header in photos]
        after = [
            _inputs(Image.open(io.BytesIO(data)).convert("RGB"), header.size)
            for data, (_, header) in zip(stored, photos, strict=True)
        ]
        columns = []
        for name in INPUTS:
            each = [_psnr(a[name], b[name]) for a, b in zip(after, before, strict=True)]
            columns.append(f"{median(each):.1f}, {min(each):.1f}")
        kilobytes = median(map(len, stored)) / 1000
        yield f"| {fidelity} | {quality} | {' | '.join(columns)} | {kilobytes:.0f} |"


def _open(data: bytes) -> tuple[bytes, PhotoHeader] | None:
    """The photo if it is scaled down to be stored, and decodes."""
    header = read_photo_header(data, POLICY)
    if header.jpeg is None or max(header.size.height, header.size.width) <= POLICY.longest_side:
        return None
    try:
        decode_rgb(data, header)
    except ImageDecodeError:
        return None
    return data, replace(header, orientation=1)


def _store(data: bytes, header: PhotoHeader, policy: ImagePolicy) -> bytes:
    size = fit_longest_side(header.size, policy.longest_side)
    return store(data, header, size, policy, apply_orientation=False)[0].data


def _inputs(photo: Image.Image, original: Size) -> dict[str, NDArray[np.float32]]:
    """Input of each encoder before it is normalised, 0 to 255."""
    inputs = {}
    for name, (normalisation, encode) in INPUTS.items():
        values = encode(photo, original)
        mean, std = (
            np.array(each, np.float32)[:, None, None]
            for each in (normalisation.mean, normalisation.std)
        )
        inputs[name] = (values * std + mean) * normalisation.divisor
    return inputs


def _without_border(values: EncoderInput, resized: tuple[int, int]) -> EncoderInput:
    return values[:, : resized[0], : resized[1]]


def _psnr(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    difference = (one - other).astype(np.float64)
    return float(10 * np.log10(255**2 / max(float(np.square(difference).mean()), 1e-9)))


if __name__ == "__main__":
    main()
