"""A miniature of every source, drawn in its upstream layout, with the expected samples.

Tests and benchmarks call `draw`. The command is `python -m convert.demo`.
"""

from pathlib import Path

from convert.demo.registry import DRAWINGS
from convert.demo.scene.photos import DrawOptions, PhotoSize
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth

__all__ = ["DRAWINGS", "TrueRegion", "TrueReject", "TrueSample", "Truth", "draw"]


def draw(  # noqa: PLR0913 - one per option of the command
    root: Path,
    source: str,
    *,
    images: int,
    seed: int = 0,
    photo_size: PhotoSize = "small",
    with_defects: bool = False,
    crowd: int = 1,
) -> Truth:
    """Draw one source. Files of the same names are overwritten; other files are kept.

    Args:
        root: of the data; created if needed.
        source: a name of `DRAWINGS`.
        images: number of photos. The content of a photo does not depend on it.
        seed: the same seed gives the same bytes.
        photo_size: `full` is the size of upstream's photos.
        with_defects: add photos and rows with the defects of the real data.
        crowd: factor for the number of things in each photo.
    """
    return DRAWINGS[source](DrawOptions(root, images, seed, photo_size, with_defects, crowd))
