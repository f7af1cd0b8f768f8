"""Photos for benchmarks: those of a folder, or drawn ones if no folder is given."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from convert.demo import draw
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy

FAMILIES = {"grandf_ha": "SAM, 3 MP", "mapillary": "street, 12 MP", "coco_captions": "COCO, 0.3 MP"}
"""Source -> kind of photo that is drawn for it."""
_POLICY = ImagePolicy()
_SMALL, _LARGE = 1024, 3000
"""Longest sides in pixels: up to the first a photo is not scaled, above the second it is large."""


def drawn(source: str, images: int = 4) -> list[bytes]:
    """Photos of a source, drawn in full size."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), source, images=images, photo_size="full")
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.jpg"))]


def read(folders: Sequence[Path]) -> list[bytes]:
    """Every file below the folders that is named like a JPEG and begins like one."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.jp*g"))
    contents = [path.read_bytes() for path in paths]
    return [data for data in contents if data.startswith(b"\xff\xd8")]


def by_size(folders: Sequence[Path]) -> dict[str, list[bytes]]:
    """Photos by size: small ones, which are not scaled, medium and large; drawn without folders."""
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
