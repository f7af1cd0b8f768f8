"""A photo's masks at its stored size: computed on runs, and on pixels.

60 masks of about 1163 runs, 2250x1500 -> 1024x683, from compressed counts to compressed counts;
the same from polygons; and stored masks painted for a loader.
"""

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from bench.harness.command import Claim, Section, run
from bench.harness.measure import Ways, say
from convert.sample.masks import nearest
from shards import rle
from shards.rle.kernel import Kernel, choose_kernel
from shards.sample import Size

try:
    cv2: Any = import_module("cv2")
except ImportError:
    cv2 = None

SOURCE, STORED = Size(1500, 2250), Size(683, 1024)
TABLES = nearest(SOURCE.height, STORED.height), nearest(SOURCE.width, STORED.width)
MASKS = 60
COMPILED, NUMPY = "runs, compiled", "runs, numpy"
BY_CV2, DRAWN = "pycocotools + cv2", "pycocotools draws, no more"

Pixels = NDArray[np.uint8]
Rings = list[list[float]]
Resize = Callable[[Pixels], Pixels]


def sections(_typed: Namespace) -> Iterator[Section]:
    """Counts, polygons and pixels, after checking that all ways give the same."""
    warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own
    photo = drawn_rings()
    counts = drawn_counts()
    runs = np.diff(rle.decode_counts(counts, SOURCE).ends, prepend=0)
    say(f"{MASKS} masks of {np.median(runs):.0f} runs (median), {SOURCE} -> {STORED}")
    expected = _by_pixels(counts, _pil)
    kernels = _kernels()
    groups = [[one] for one in counts]
    rings = {name: partial(_from_polygons, kernel, photo) for name, kernel in kernels.items()}
    resized = {name: partial(_by_runs, kernel, groups) for name, kernel in kernels.items()}
    for name, way in [*rings.items(), *resized.items()]:
        if way() != expected:
            raise SystemExit(f"{name}: gives other counts than pixels do")
    yield _resizing(counts, resized)
    yield _drawing(photo, rings)
    yield _painting(expected, kernels)


def drawn_rings() -> list[Rings]:
    """Outlines of the masks of a photo."""
    return [_draw(np.random.default_rng(seed)) for seed in range(MASKS)]


def drawn_counts() -> list[bytes]:
    """The masks of a photo, as GranD has them."""
    warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own
    return [_united(rings) for rings in drawn_rings()]


def _resizes() -> dict[str, Resize]:
    return {"pycocotools + PIL": _pil} if cv2 is None else {BY_CV2: _cv2, "pycocotools + PIL": _pil}


def _resizing(counts: Sequence[bytes], resized: Ways) -> Section:
    by_pixels = {name: partial(_by_pixels, counts, resize) for name, resize in _resizes().items()}
    claims = [Claim(COMPILED, BY_CV2, 150), Claim(NUMPY, BY_CV2, 20)]
    title = "compressed counts -> stored counts, a photo"
    return Section(title, {**by_pixels, **resized}, claims)


def _drawing(photo: Sequence[Rings], rings: Ways) -> Section:
    by_pixels = {
        name: partial(_polygons_by_pixels, photo, resize) for name, resize in _resizes().items()
    }
    ways: Ways = {**by_pixels, DRAWN: partial(_only_draw, photo), **rings}
    return Section(
        "polygons -> stored counts, a photo",
        ways,
        [Claim(COMPILED, BY_CV2), Claim(COMPILED, DRAWN)],
    )


def _painting(expected: Sequence[bytes], kernels: Mapping[str, Kernel]) -> Section:
    stored = rle.decode_counts(expected, STORED)
    out = np.zeros((MASKS, STORED.height, STORED.width), np.uint8)
    every = np.arange(MASKS)
    painted = {
        name: partial(_paint, kernel, stored, every, out) for name, kernel in kernels.items()
    }
    ways: Ways = {"pycocotools": partial(_by_coco, expected, out), **painted}
    return Section(
        "stored counts -> row-major pixels, a photo", ways, [Claim(COMPILED, "pycocotools")]
    )


def _kernels() -> dict[str, Kernel]:
    kernels = {NUMPY: choose_kernel("numpy")[1]}
    try:
        kernels[COMPILED] = choose_kernel("compiled")[1]
    except ImportError:
        say("the compiled kernel is not installed")
    return kernels


def _draw(rng: np.random.Generator) -> Rings:
    """Up to three overlapping blobs with bays and points, as people and trees have."""
    centre = rng.uniform((450, 400), (SOURCE.width - 450, SOURCE.height - 400))
    rings = []
    for _ in range(rng.integers(1, 4)):
        angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        noise = np.convolve(rng.normal(size=120), np.ones(7) / 7, "same")
        radius = rng.uniform(50, 170) * np.maximum(0.2, 1 + 0.6 * noise)
        outline = np.stack((np.cos(angles), np.sin(angles)), axis=1) * radius[:, None]
        points = centre + rng.uniform(-80, 80, 2) + outline
        rings.append(points.round(2).reshape(-1).tolist())
    return rings


def _united(rings: Rings) -> bytes:
    counts: bytes = coco.merge(_rasterised(rings))["counts"]
    return counts


def _rasterised(rings: Rings) -> Sequence[Mapping[str, bytes]]:
    drawn: Sequence[Mapping[str, bytes]] = coco.frPyObjects(rings, SOURCE.height, SOURCE.width)
    return drawn


def _cv2(mask: Pixels) -> Pixels:
    small: Pixels = cv2.resize(mask, (STORED.width, STORED.height), interpolation=cv2.INTER_NEAREST)
    return small


def _pil(mask: Pixels) -> Pixels:
    size = (STORED.width, STORED.height)
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _by_pixels(counts: Sequence[bytes], resize: Resize) -> list[bytes]:
    size = [SOURCE.height, SOURCE.width]
    masks = (coco.decode({"size": size, "counts": one}) for one in counts)
    return [coco.encode(np.asfortranarray(resize(mask)))["counts"] for mask in masks]


def _polygons_by_pixels(photo: Sequence[Rings], resize: Resize) -> list[bytes]:
    return _by_pixels([_united(rings) for rings in photo], resize)


def _by_runs(kernel: Kernel, groups: Sequence[Sequence[bytes]]) -> list[bytes]:
    counts = [part for parts in groups for part in parts]
    ends = np.cumsum([len(parts) for parts in groups])
    resized = kernel.resize_counts(tuple(counts), ends, (SOURCE.height, SOURCE.width), *TABLES)
    if resized is None:
        raise SystemExit("the kernel refuses the counts")
    return resized


def _from_polygons(kernel: Kernel, photo: Sequence[Rings]) -> list[bytes]:
    return _by_runs(kernel, [[ring["counts"] for ring in _rasterised(rings)] for rings in photo])


def _paint(kernel: Kernel, runs: rle.Runs, masks: NDArray[np.int64], out: Pixels) -> None:
    size = runs.size
    kernel.paint((runs.lengths, runs.ends, size.height, size.width), masks, out)


def _only_draw(photo: Sequence[Rings]) -> None:
    for rings in photo:
        _rasterised(rings)


def _by_coco(counts: Sequence[bytes], out: Pixels) -> None:
    size = [STORED.height, STORED.width]
    for picture, one in zip(out, counts, strict=True):
        picture[...] = coco.decode({"size": size, "counts": one})


if __name__ == "__main__":
    libraries = ("numpy", "pycocotools", "opencv-python-headless", "pillow-simd", "pillow")
    run("mask", sections, libraries)
