"""How fast is a photo stored, whole and step by step, compared with other libraries?

`python -m bench.image [--stock PYTHON] [FOLDER...]` uses the photos of the folders, or draws some.
PYTHON is an interpreter with stock Pillow, which cannot be installed together with pillow-simd.
"""

import io
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from bench.harness.command import Claim, Section, run
from bench.harness.measure import Ways
from bench.harness.photos import by_size
from bench.harness.stock import STOCK, stock_pillow
from convert.geometry import fit_longest_side
from convert.image.header import read_jpeg_header, read_photo_header
from convert.image.policy import Fidelity, ImagePolicy
from convert.image.store import check_jpeg, decode_rgb, store, strip_jpeg
from convert.job.task import keep_freed_memory
from shards.sample import Size

POLICY = ImagePolicy(quality=90)
"""The quality for which the goals were set; the shipped config has a higher one."""
WHOLE, BARE, PILLOW = "ours, exact", "bare decode + encode", "Pillow: decode, resize, encode"
GOALS = {"medium": (0.82, 1.75, 2.1), "large": (0.84, 1.85, 2.5)}
"""Speed relative to the kernels alone, to stock Pillow, and to that with 'draft' scaling."""
_PHOTOS = 6


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


cv2, pyvips = _optional("cv2"), _optional("pyvips")


def sections(typed: Namespace) -> Iterator[Section]:
    """Sections for photos that are scaled down, by size, and one for photos that are not."""
    keep_freed_memory()  # as in a worker; the other ways profit as well
    for name, photos in by_size(typed.photos).items():
        chosen = photos[:_PHOTOS]
        if name == "small":
            yield _kept(chosen)
        else:
            with stock_pillow(typed.stock, chosen, POLICY) as stock:
                yield _resized(name, chosen, stock)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument("--stock", type=Path, help="an interpreter with stock Pillow")
    parser.add_argument("photos", type=Path, nargs="*", help="folders of real photos")


def _stored_size(data: bytes) -> Size:
    return fit_longest_side(read_photo_header(data, POLICY).size, POLICY.longest_side)


def ours(photos: Sequence[bytes], fidelity: Fidelity = "exact") -> None:
    """Store photos as the job does."""
    policy = ImagePolicy(quality=POLICY.quality, fidelity=fidelity)
    for data in photos:
        header = read_photo_header(data, policy)
        size = fit_longest_side(header.size, policy.longest_side)
        store(data, header, size, policy, apply_orientation=False)


def pillow(photos: Sequence[bytes], *, draft: bool = False) -> None:
    """Convert as the reference's scripts do, with the installed Pillow."""
    for data in photos:
        size = _stored_size(data)
        image = Image.open(io.BytesIO(data))
        if draft:
            image.draft("RGB", (size.width, size.height))
        small = image.convert("RGB").resize((size.width, size.height), Image.Resampling.BILINEAR)
        _save(small)


def _save(image: Image.Image) -> None:
    image.save(io.BytesIO(), "JPEG", quality=POLICY.quality, subsampling=POLICY.subsampling)


def by_cv2(photos: Sequence[bytes]) -> None:
    """Convert with OpenCV's decoder, area filter and encoder."""
    for data in photos:
        size = _stored_size(data)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        small = cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_AREA)
        cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, POLICY.quality])


def by_vips(photos: Sequence[bytes]) -> None:
    """Convert with the thumbnailer of libvips, which scales while it decodes."""
    for data in photos:
        size = _stored_size(data)
        small = pyvips.Image.thumbnail_buffer(data, size.width, height=size.height)
        small.write_to_buffer(".jpg", Q=POLICY.quality)


def _decode(photos: Sequence[bytes]) -> None:
    for data in photos:
        simplejpeg.decode_jpeg(data, "RGBX")


def _bare(photos: Sequence[bytes], small: Sequence[Image.Image]) -> None:
    _decode(photos)
    for image in small:
        _save(image)


def _shrink(data: bytes) -> Image.Image:
    size = _stored_size(data)
    whole = decode_rgb(data, read_photo_header(data, POLICY))
    return whole.resize((size.width, size.height), Image.Resampling.BILINEAR)


def _resized(name: str, photos: Sequence[bytes], stock: Ways) -> Section:
    small = [_shrink(data) for data in photos]
    whole = [decode_rgb(data, read_photo_header(data, POLICY)) for data in photos]
    share, exact, scaled = GOALS[name]

    def resize() -> None:
        for image, target in zip(whole, small, strict=True):
            image.resize(target.size, Image.Resampling.BILINEAR)

    def encode() -> None:
        for image in small:
            _save(image)

    ways: dict[str, Callable[[], object]] = {
        WHOLE: partial(ours, photos),
        "ours, fast": partial(ours, photos, "fast"),
        "ours, draft": partial(ours, photos, "draft"),
        BARE: partial(_bare, photos, small),
        "decode": partial(_decode, photos),
        "resize": resize,
        "encode": encode,
        PILLOW: partial(pillow, photos),
        "Pillow, draft": partial(pillow, photos, draft=True),
        **stock,
    }
    if cv2 is not None:
        ways["cv2, area"] = partial(by_cv2, photos)
    if pyvips is not None:
        ways["pyvips, thumbnail"] = partial(by_vips, photos)
    claims = [
        Claim(WHOLE, BARE, share),
        Claim(WHOLE, STOCK, exact),
        Claim("ours, draft", STOCK, scaled),
        Claim(WHOLE, PILLOW),
    ]
    claims += [Claim(WHOLE, other) for other in ("cv2, area", "pyvips, thumbnail")]
    return Section(f"{name}: scaled to {POLICY.longest_side}, a photo", ways, claims, len(photos))


def _structure(data: bytes) -> bytes:
    return strip_jpeg(data, read_jpeg_header(data))


def _kept(photos: Sequence[bytes]) -> Section:
    stripped = [_structure(data) for data in photos]

    def each(function: Callable[[bytes], object]) -> Callable[[], object]:
        return lambda: [function(data) for data in stripped]

    def whole_decode(data: bytes) -> None:
        simplejpeg.decode_jpeg(data, "RGB", strict=True)

    ways: dict[str, Callable[[], object]] = {
        "ours: header, strip, strict check": partial(ours, photos),
        "structure only": each(_structure),
        "strict check at an eighth": each(check_jpeg),
        "strict whole decode": each(whole_decode),
        "encode anew (Pillow)": partial(pillow, photos),
    }
    ours_kept, encoded = "ours: header, strip, strict check", "encode anew (Pillow)"
    claims = [
        Claim(ours_kept, encoded, 2.2),
        Claim("structure only", encoded, 40),
        Claim("strict check at an eighth", "strict whole decode"),
    ]
    return Section("small: kept as it is, a photo", ways, claims, len(photos))


if __name__ == "__main__":
    libraries = ("simplejpeg", "pillow-simd", "pillow", "opencv-python-headless", "pyvips")
    run("image", sections, libraries, arguments)
