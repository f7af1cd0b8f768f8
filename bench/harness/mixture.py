"""A miniature of seven sources, as close to upstream's proportions as a benchmark can be.

98 % of the seven sources' training photos are GranD's, and they decide how long the job takes. Here
they are a quarter. That favours the script, which needs most of its time for GranD's masks.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lmdb
from pycocotools import mask as coco

from bench.mask import SOURCE, drawn_rings
from convert.demo import draw
from convert.demo.scene.photos import PhotoSize
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy
from shards.sample import Size

GRAND = "grand_referring"
UPSTREAM = {
    "grandf_ha": 1_000,
    GRAND: 11_000_000,
    "refcoco": 16_994,
    "paco_lvis": 45_790,
    "ade20k": 20_210,
    "mapillary": 18_000,
    "coco_captions": 118_287,
}
"""Source -> published number of training photos."""
DRAWN = {
    "grandf_ha": 8,
    GRAND: 24,
    "refcoco": 32,
    "paco_lvis": 48,
    "ade20k": 32,
    "mapillary": 6,
    "coco_captions": 80,
}
"""Source -> photos to draw; three quarters of them are for training."""
_FOLDER = "GranD_Data/Grand_Referring_Expression_lmdb"
_PHOTOS = "GranD_Data/images"
_COPIES = 3
"""Names of each GranD photo; drawing as many photos would take as long as converting them."""
_MAP_SIZE = 1 << 32
GrandRows = list[dict[str, Any]]


def draw_mixture(
    root: Path, sources: Sequence[str], *, scale: int = 1, photo_size: PhotoSize = "full"
) -> dict[str, int]:
    """Draw the sources; GranD's photos get 60 masks of a thousand runs each, and further names.

    Args:
        root: folder of the data.
        sources: names in `DRAWN`.
        scale: factor for the numbers in `DRAWN`.
        photo_size: "full" is upstream's.

    Returns:
        Source -> number of photos in all splits.
    """
    drawn = {name: DRAWN[name] * scale for name in sources}
    for name, images in drawn.items():
        draw(root, name, images=images, photo_size=photo_size)
    if GRAND in drawn:
        _link_grand(root)
        drawn[GRAND] *= _COPIES
    return drawn


def _link_grand(root: Path) -> None:
    """Give GranD's photos annotations as large as the real ones, and link them to further names."""
    folder = root / _FOLDER
    listed = folder / f"{folder.name}_Train.txt"
    masks: dict[Size, GrandRows] = {}
    annotations: dict[str, GrandRows] = {}
    for name in listed.read_text().split():
        photo = root / _PHOTOS / name
        size = read_photo_header(photo.read_bytes(), ImagePolicy()).upright
        if size not in masks:
            masks[size] = list(_draw_rows(size))
        annotations[name] = masks[size]
        for number in range(1, _COPIES):
            other = photo.with_name(f"{photo.stem}-{number}.jpg")
            other.hardlink_to(photo)
            annotations[other.name] = masks[size]
    base = lmdb.open(str(folder), map_size=_MAP_SIZE, lock=False)
    with base, base.begin(write=True) as view:
        for name, rows in annotations.items():
            view.put(name.encode(), json.dumps({name: rows}).encode())
    listed.write_text("".join(f"{name}\n" for name in annotations))


def _draw_rows(size: Size) -> Iterator[dict[str, Any]]:
    """The masks of `bench.mask`, scaled to another size."""
    across, down = size.width / SOURCE.width, size.height / SOURCE.height
    for number, rings in enumerate(drawn_rings()):
        scaled = [
            [value * (down if n % 2 else across) for n, value in enumerate(ring)] for ring in rings
        ]
        runs = coco.merge(coco.frPyObjects(scaled, size.height, size.width))
        x, y, width, height = map(float, coco.toBbox(runs))
        mask = {"size": runs["size"], "counts": runs["counts"].decode("ascii")}
        text = f"a thing of {len(rings)} parts, the {number}th of its photo"
        box = [x, y, x + width, y + height]
        yield {"attribute": text, "id": number, "bbox": box, "segmentation": mask}
