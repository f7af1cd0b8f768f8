"""A simple script for the same job: Pillow, pycocotools, cv2, webdataset and a process pool.

`python -m bench.peers.naive --root DATA --out FOLDER --workers 2`

Its results are correct, and it uses its libraries well: no second RGB conversion, masks merged as
RLE and not decoded if the photo keeps its size, arrays passed from pycocotools to cv2 and back
without a copy, one thread per process. It uses the installed PIL, such as pillow-simd. It checks
nothing, cannot resume, and stops at the first damaged photo.
"""

import io
import multiprocessing
import random
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import msgpack
import numpy as np
import webdataset
from cyclopts import App, Parameter
from PIL import Image, ImageOps
from pycocotools import mask as coco

from bench.peers.listing import LISTINGS, ListedRegion, Photo, list_photos

app = App(help=__doc__)
_LONGEST, _QUALITY = 1024, 95
_CHUNK = 4
_PER_SHARD = 1000
WidthHeight = tuple[int, int]
"""(width, height), as PIL has it."""


def convert_photo(photo: Photo, *, copy: bool = False) -> dict[str, Any]:
    """One sample, encoded.

    Args:
        photo: the photo to convert.
        copy: store an RGB JPEG that needs no scaling unchanged and unchecked.
    """
    content = photo.path.read_bytes()
    image: Image.Image = Image.open(io.BytesIO(content))
    original = image.size
    plain = image.format == "JPEG" and image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1
    if not (copy and plain and max(original) <= _LONGEST):
        ImageOps.exif_transpose(image, in_place=True)
        original = image.size
        content = _encode(image, _fit(original))
    size = _fit(original)
    annotations = {
        "size": size[::-1],
        "original_size": original[::-1],
        "captions": photo.captions,
        "regions": [_shrink(region, original, size) for region in photo.regions],
    }
    sample = {"__key__": photo.key, "jpg": content, "mp": msgpack.packb(annotations)}
    if photo.labels is not None:
        sample["labels.png"] = _shrink_labels(photo.labels, size, ignore_zero=photo.ignore_zero)
    return sample


def _fit(size: WidthHeight) -> WidthHeight:
    scale = min(1.0, _LONGEST / max(size))
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def _encode(image: Image.Image, size: WidthHeight) -> bytes:
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return out.getvalue()


def _shrink(region: ListedRegion, old: WidthHeight, new: WidthHeight) -> dict[str, Any]:
    box = None
    if region.box is not None:
        sides = zip(region.box, old * 2, new * 2, strict=True)
        box = [min(max(side, 0), before) * after / before for side, before, after in sides]
    mask = _shrink_mask(region.mask, old, new) if region.mask else None
    return {**asdict(region), "box": box, "mask": mask}


def _shrink_mask(mask: Any, old: WidthHeight, new: WidthHeight) -> dict[str, Any]:
    runs = mask if isinstance(mask, dict) else coco.merge(_as_runs(mask, old))
    if old != new:
        # The transpose of pycocotools' column-major array is the row-major one that cv2 needs.
        pixels = coco.decode(runs).T
        runs = coco.encode(cv2.resize(pixels, new[::-1], interpolation=cv2.INTER_NEAREST).T)
    return {"size": runs["size"], "counts": runs["counts"]}


def _as_runs(parts: list[Any], size: WidthHeight) -> list[Any]:
    rings = isinstance(parts[0], list)
    return coco.frPyObjects(parts, size[1], size[0]) if rings else parts


def _shrink_labels(path: Path, size: WidthHeight, *, ignore_zero: bool) -> bytes:
    with Image.open(path) as image:
        ids = np.asarray(image)
    if ids.shape != size[::-1]:
        ids = cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST)
    if ignore_zero:
        ids = ids - np.uint8(1)  # and 0 becomes 255
    out = io.BytesIO()
    Image.fromarray(ids).save(out, "PNG")
    return out.getvalue()


def convert(
    root: Path, out: Path, sources: Iterable[str], workers: int, *, copy: bool = False
) -> int:
    """Number of photos converted: training splits of some sources, into one series of shards."""
    photos = [photo for source in sources for photo in list_photos(root, source)]
    random.Random(0).shuffle(photos)  # noqa: S311 - for the order of training
    out.mkdir(parents=True)
    work = partial(convert_photo, copy=copy)
    with (
        webdataset.ShardWriter(f"{out}/%06d.tar", maxcount=_PER_SHARD, verbose=0) as shards,
        map_photos(work, photos, workers) as samples,
    ):
        for sample in samples:
            shards.write(sample)
    return len(photos)


@contextmanager
def map_photos(work: Any, photos: list[Photo], workers: int) -> Iterator[Iterable[dict[str, Any]]]:
    """Samples of photos; one worker is this process, so that nothing passes through a pipe."""
    if workers == 1:
        prepare()
        yield map(work, photos)
        return
    with multiprocessing.get_context("fork").Pool(workers, prepare) as pool:
        yield pool.imap_unordered(work, photos, chunksize=_CHUNK)


def prepare() -> None:
    """Set up a process: one thread for cv2, since all cores are busy with processes."""
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)


@app.default
def main(
    *,
    root: Path,
    out: Path,
    workers: int = 2,
    source: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = tuple(LISTINGS),
    copy: bool = False,
) -> None:
    """Convert training splits; `--copy` stores photos that need no scaling unchanged."""
    convert(root, out, source, workers, copy=copy)


if __name__ == "__main__":
    app()
