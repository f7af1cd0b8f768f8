"""The photos of a miniature: which there are, of what size, and how their files are spoiled."""

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from convert.demo.scene.paint import paint
from convert.demo.scene.raster import Size
from convert.demo.scene.scene import Scene, draw_scene

PhotoSize = Literal["full", "small"]

_SIZES: dict[str, tuple[Size, ...]] = {
    "coco": ((480, 640), (480, 640), (640, 480), (480, 640), (612, 612), (375, 500)),
    "ade": ((512, 683), (512, 683), (683, 512), (256, 256)),
    "sam": ((1500, 2250), (1500, 2250), (2250, 1500), (1500, 2000)),
    "street": ((3000, 4000), (2448, 3264), (3000, 4000)),
    "flickr": ((375, 500), (500, 333), (500, 500), (334, 500)),
    "saiapr": ((360, 480), (480, 360)),
}
"""(height, width) in turn, by family, as common as they are upstream."""
_SHRINK = {"coco": 4, "ade": 4, "sam": 2, "street": 10, "flickr": 3, "saiapr": 3}
"""What small photos are divided by; SAM's stay larger than what is stored."""
_SMALLEST = 112
"""Pixels of a small photo's shorter side; below that a JPEG's tables are most of its bytes."""
_QUALITY = 90
_ORIENTATION = 0x0112
_TURNED = 6
_DEFECTS_FROM = 5_000_000

REJECTED = {
    "missing": "ImageMissingError",
    "truncated": "ImageDecodeError",
    "web page": "ImageDecodeError",
    "other size": "SizeMismatchError",
}
"""Spoilt photos -> the error that must say so. The others below can be mended."""
MENDED = ("gray", "progressive", "cmyk", "png", "turned", "trailing")


@dataclass(frozen=True, slots=True)
class Brief:
    """What to draw: so many photos of each source, below a root; in a crowd, with more things."""

    root: Path
    images: int
    seed: int = 0
    photo_size: PhotoSize = "small"
    with_defects: bool = False
    crowd: int = 1


@dataclass(frozen=True, slots=True)
class Study:
    """One photo.

    Attributes:
        number: upstream's id of it; with family and seed it decides everything that is in it.
        defect: what is wrong with its file or its annotation; "" if nothing is.
    """

    family: str
    number: int
    split: str
    defect: str
    scene: Scene
    seed: tuple[int, ...]

    @property
    def size(self) -> Size:
        """(height, width) of the upright photo."""
        return self.scene.size

    @property
    def annotated_size(self) -> Size:
        """What annotations say; a defect may make it untrue."""
        height, width = self.size
        return (height + 8, width + 6) if self.defect == "other size" else self.size

    @property
    def error(self) -> str:
        """The error a spoilt photo must meet, or ""."""
        return REJECTED.get(self.defect, "")

    @property
    def words(self) -> np.random.Generator:
        """Chance that decides what is said about the photo; the same at each call."""
        return np.random.default_rng((*self.seed, 2))

    def save(self, path: Path) -> None:
        """Write the photo's file, with its defect."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.defect != "missing":
            pixels = paint(self.scene, np.random.default_rng((*self.seed, 1)))
            path.write_bytes(_encode(Image.fromarray(pixels), self.defect))


def _encode(image: Image.Image, defect: str) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if defect == "turned":
        # Stored lying on its side; readers that honour the tag turn it upright.
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[_ORIENTATION] = _TURNED
    if defect == "gray":
        image = image.convert("L")
    if defect == "cmyk":
        image = image.convert("CMYK")
    kind = "PNG" if defect == "png" else "JPEG"
    image.save(out, kind, quality=_QUALITY, progressive=defect == "progressive", exif=exif)
    content = out.getvalue()
    if defect == "truncated":
        return content[: len(content) * 2 // 3]
    if defect == "web page":
        return b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"
    return content + (b"\0" * 999 if defect == "trailing" else b"")


def plan_studies(  # noqa: PLR0913 - what to draw, and where its numbers begin
    brief: Brief,
    family: str,
    first: int,
    splits: Sequence[str],
    defects: Sequence[str] = (),
    *,
    first_spoilt: int | None = None,
) -> Iterator[Study]:
    """The photos of one source: `brief.images` good ones, then one for each defect.

    Args:
        brief: what to draw.
        family: where photos of that kind come from; it decides their sizes.
        first: number of the first photo. Photos of one family and number are the same in every
            source, so sources that share a folder begin at numbers far apart.
        splits: the first photos go to one each, later ones mostly to the first of them.
        defects: drawn only if the brief asks for them; they go to the first split.
        first_spoilt: number of the first of these; sources that share photos spoil others.
    """
    spoilt = first + _DEFECTS_FROM if first_spoilt is None else first_spoilt
    for index in range(brief.images):
        yield _study(brief, family, first + index, choose_split(index, splits), "")
    for index, defect in enumerate(defects if brief.with_defects else ()):
        # From a number of their own: how many good photos there are changes none of them.
        yield _study(brief, family, spoilt + index, splits[0], defect)


def choose_split(index: int, splits: Sequence[str]) -> str:
    """One photo for every split, then three for the first to one for the others in turn.

    >>> [choose_split(index, ["train", "val", "test"]) for index in range(9)]
    ['train', 'val', 'test', 'train', 'train', 'train', 'val', 'train', 'train']
    """
    if index < len(splits):
        return splits[index]
    round_, step = divmod(index - len(splits), 4)
    others = splits[1:] or splits
    return splits[0] if step < 3 else others[round_ % len(others)]  # noqa: PLR2004


def _study(brief: Brief, family: str, number: int, split: str, defect: str) -> Study:
    sizes = _SIZES[family]
    height, width = sizes[number % len(sizes)]
    if height == width and defect in {"turned", "other size"}:
        height, width = sizes[0]  # a turn of a square does not show in its size
    if brief.photo_size == "small":
        shrink = min(_SHRINK[family], min(height, width) / _SMALLEST)
        height, width = round(height / shrink), round(width / shrink)
    seed = (brief.seed, zlib.crc32(family.encode()), number)
    scene = draw_scene(np.random.default_rng((*seed, 0)), (height, width), brief.crowd)
    return Study(family, number, split, defect, scene, seed)
