"""Photos for benchmarks: those of a folder, or drawn ones where there is none."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from convert.demo import draw
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy

FAMILIES = {"grandf_ha": "SAM, 3 MP", "mapillary": "street, 12 MP", "coco_captions": "COCO, 0.3 MP"}
"""Sources whose drawings are photos of these kinds."""
_POLICY = ImagePolicy()
_SMALL, _LARGE = 1024, 3000
"""Longest sides, in pixels: what fits is not scaled; what is larger has 8 megapixels or more."""


def drawn(source: str, images: int = 4) -> list[bytes]:
    """Photos of a source in full size, as drawn for the miniature."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), source, images=images, photo_size="full")
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.jpg"))]


def read(folders: Sequence[Path]) -> list[bytes]:
    """Every JPEG below the folders that its first bytes say is one."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.jp*g"))
    found = [path.read_bytes() for path in paths]
    return [data for data in found if data.startswith(b"\xff\xd8")]


def by_size(folders: Sequence[Path]) -> dict[str, list[bytes]]:
    """Photos that fit, those of some megapixels, and the large ones; drawn where none are given."""
    if not folders:
        names = ("coco_captions", "grandf_ha", "mapillary")
        return dict(zip(("small", "medium", "large"), map(drawn, names), strict=True))
    sizes: dict[str, list[bytes]] = {"small": [], "medium": [], "large": []}
    for data in read(folders):
        header = read_photo_header(data, _POLICY)
        longest = max(header.size.height, header.size.width)
        name = "small" if longest <= _SMALL else "large" if longest > _LARGE else "medium"
        sizes[name].append(data)
    return {name: photos for name, photos in sizes.items() if photos}
