"""How fast is one GranD photo with 60 masks converted, from its file and row to its sample?

`python -m bench.grand [--stock PYTHON] [FOLDER...]` takes the first photo of about 2250x1500 pixels
in the folders, or draws one.
"""

import io
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco

from bench.harness.command import Claim, Section, run
from bench.harness.measure import Ways
from bench.harness.photos import drawn, read
from bench.harness.stock import STOCK, stock_pillow
from bench.mask import MASKS, SOURCE, drawn_counts
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy
from convert.record import RawRegion, Record
from convert.sample.transform import transform
from shards.layout import to_members
from shards.sample import Rle

POLICY = ImagePolicy()
OURS, NAIVE, BOTH = "ours", "naive: Pillow, pycocotools, cv2", "naive with stock Pillow"


def sections(typed: Namespace) -> Iterator[Section]:
    """One photo, whole."""
    photo = _choose(read(typed.photos) or drawn("grandf_ha"))
    counts = drawn_counts()
    regions = tuple(RawRegion(phrases=("thing",), masks=(Rle(SOURCE, one),)) for one in counts)
    record = Record(photo=("a.jpg",), file="a.jpg", size=SOURCE, regions=regions)
    with stock_pillow(typed.stock, [photo], POLICY) as stock:
        ways: dict[str, object] = {
            OURS: partial(ours, record, photo),
            NAIVE: partial(naive, photo, counts),
            "naive: the photo alone": partial(naive_photo, photo),
        }
        if STOCK in stock:
            ways[BOTH] = partial(_both, stock, counts)
        goals = [Claim(OURS, NAIVE, 15), Claim(OURS, BOTH, 15)]
        yield Section(f"a photo of {SOURCE} with {MASKS} masks", _ways(ways), goals)


def _ways(ways: dict[str, object]) -> Ways:
    return {name: way for name, way in ways.items() if callable(way)}


def _choose(photos: Sequence[bytes]) -> bytes:
    for data in photos:
        if read_photo_header(data, POLICY).size == SOURCE:
            return data
    raise SystemExit(f"expected a photo of {SOURCE} in the folders, found none")


def ours(record: Record, photo: bytes) -> None:
    """Convert as the job does, up to the members of the tar."""
    sample, _ = transform("grand-1", record, photo, None, POLICY)
    to_members(sample)


def naive_photo(photo: bytes) -> None:
    """Decode, scale down and encode a photo."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    scale = POLICY.longest_side / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    small = image.resize(size, Image.Resampling.BILINEAR)
    small.save(io.BytesIO(), "JPEG", quality=POLICY.quality, subsampling=POLICY.subsampling)


def naive_masks(counts: Sequence[bytes]) -> None:
    """Decode, scale down and encode each mask."""
    import cv2

    scale = POLICY.longest_side / max(SOURCE.height, SOURCE.width)
    size = (round(SOURCE.width * scale), round(SOURCE.height * scale))
    for one in counts:
        mask = coco.decode({"size": [SOURCE.height, SOURCE.width], "counts": one})
        small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
        coco.encode(np.asfortranarray(small))


def naive(photo: bytes, counts: Sequence[bytes]) -> None:
    """Convert the photo, then its masks."""
    naive_photo(photo)
    naive_masks(counts)


def _both(stock: Ways, counts: Sequence[bytes]) -> None:
    stock[STOCK]()
    naive_masks(counts)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument("--stock", type=Path, help="an interpreter with stock Pillow")
    parser.add_argument("photos", type=Path, nargs="*", help="folders of real photos")


if __name__ == "__main__":
    libraries = ("simplejpeg", "pillow-simd", "pillow", "pycocotools", "opencv-python-headless")
    run("grand", sections, libraries, arguments)
