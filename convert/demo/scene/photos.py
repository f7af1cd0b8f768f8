"""The photos of a miniature: their numbers, sizes, scenes and defects."""

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from convert.demo.scene.compose import Scene, draw_scene
from convert.demo.scene.paint import paint
from convert.demo.scene.raster import HeightWidth

PhotoSize = Literal["full", "small"]

_SIZES: dict[str, tuple[HeightWidth, ...]] = {
    "coco": ((480, 640), (480, 640), (640, 480), (480, 640), (612, 612), (375, 500)),
    "ade": ((512, 683), (512, 683), (683, 512), (256, 256)),
    "sam": ((1500, 2250), (1500, 2250), (2250, 1500), (1500, 2000)),
    "street": ((3000, 4000), (2448, 3264), (3000, 4000)),
    "flickr": ((375, 500), (500, 333), (500, 500), (334, 500)),
    "saiapr": ((360, 480), (480, 360)),
}
"""Family -> (height, width) of its photos in turn, as frequent as upstream."""
_SHRINK = {"coco": 4, "ade": 4, "sam": 2, "street": 10, "flickr": 3, "saiapr": 3}
"""Divisor of the sides of small photos. SAM's stay larger than the stored size."""
_MIN_SIDE = 112
"""Pixels of a small photo's shorter side. In a smaller JPEG, tables are most of the bytes."""
_QUALITY = 90
_ORIENTATION = 0x0112
_ROTATE_270 = 6
_DEFECTS_FROM = 5_000_000

REJECTED = {
    "missing": "ImageMissingError",
    "truncated": "ImageDecodeError",
    "web page": "ImageDecodeError",
    "other size": "SizeMismatchError",
}
"""Defect of a photo -> error with which it must be rejected."""
REPAIRABLE = ("gray", "progressive", "cmyk", "png", "turned", "trailing")
"""Defects of photos that must be converted all the same."""


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """Options of a drawing; see `convert.demo.draw`."""

    root: Path
    images: int
    seed: int = 0
    photo_size: PhotoSize = "small"
    with_defects: bool = False
    crowd: int = 1


@dataclass(frozen=True, slots=True)
class DrawnPhoto:
    """One photo.

    Attributes:
        family: kind of its source; decides its size.
        number: upstream's id. Family, number and seed decide its content.
        defect: of its file or its annotations; "" if it has none.
    """

    family: str
    number: int
    split: str
    defect: str
    scene: Scene
    seed: tuple[int, ...]

    @property
    def size(self) -> HeightWidth:
        """(height, width) of the upright photo."""
        return self.scene.size

    @property
    def annotated_size(self) -> HeightWidth:
        """(height, width) according to the annotations; wrong if that is the defect."""
        height, width = self.size
        return (height + 8, width + 6) if self.defect == "other size" else self.size

    @property
    def error(self) -> str:
        """The error with which a defective photo must be rejected, or ""."""
        return REJECTED.get(self.defect, "")

    @property
    def text_rng(self) -> np.random.Generator:
        """The random generator for texts about the photo, in its initial state at each call."""
        return np.random.default_rng((*self.seed, 2))

    def save(self, path: Path) -> None:
        """Write the file of the photo, with its defect."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.defect != "missing":
            pixels = paint(self.scene, np.random.default_rng((*self.seed, 1)))
            path.write_bytes(_encode(Image.fromarray(pixels), self.defect))


def _encode(image: Image.Image, defect: str) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if defect == "turned":
        # Stored rotated; readers that apply the EXIF orientation rotate it back.
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[_ORIENTATION] = _ROTATE_270
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


def plan_photos(  # noqa: PLR0913 - the options and the numbers of the photos
    options: DrawOptions,
    family: str,
    first: int,
    splits: Sequence[str],
    defects: Sequence[str] = (),
    *,
    first_defective: int | None = None,
) -> Iterator[DrawnPhoto]:
    """Yield the photos of one source: `options.images` without a defect, then one per defect.

    Args:
        options: of the drawing.
        family: kind of the source; decides the sizes of photos.
        first: number of the first photo. Photos with the same family and number are equal, so
            sources that share a folder start at numbers far apart.
        splits: each gets one of the first photos; later photos mostly go to the first split.
        defects: drawn if `options.with_defects`; their photos go to the first split.
        first_defective: number of the first photo with a defect, if sources share photos.
    """
    defective = first + _DEFECTS_FROM if first_defective is None else first_defective
    for index in range(options.images):
        yield _plan_photo(options, family, first + index, choose_split(index, splits), "")
    for index, defect in enumerate(defects if options.with_defects else ()):
        # Numbered separately, so that they do not depend on the number of other photos.
        yield _plan_photo(options, family, defective + index, splits[0], defect)


def choose_split(index: int, splits: Sequence[str]) -> str:
    """The split of a photo: first one photo per split, then three of four go to the first split.

    >>> [choose_split(index, ["train", "val", "test"]) for index in range(9)]
    ['train', 'val', 'test', 'train', 'train', 'train', 'val', 'train', 'train']
    """
    if index < len(splits):
        return splits[index]
    round_, step = divmod(index - len(splits), 4)
    others = splits[1:] or splits
    return splits[0] if step < 3 else others[round_ % len(others)]  # noqa: PLR2004


def _plan_photo(
    options: DrawOptions, family: str, number: int, split: str, defect: str
) -> DrawnPhoto:
    sizes = _SIZES[family]
    height, width = sizes[number % len(sizes)]
    if height == width and defect in {"turned", "other size"}:
        height, width = sizes[0]  # rotating a square does not change its size
    if options.photo_size == "small":
        shrink = min(_SHRINK[family], min(height, width) / _MIN_SIDE)
        height, width = round(height / shrink), round(width / shrink)
    seed = (options.seed, zlib.crc32(family.encode()), number)
    scene = draw_scene(np.random.default_rng((*seed, 0)), (height, width), options.crowd)
    return DrawnPhoto(family, number, split, defect, scene, seed)
