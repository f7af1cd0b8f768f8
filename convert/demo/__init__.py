"""The miniature: every source, drawn in its upstream layout, with everything true of it known.

`draw` is what tests and benchmarks use; `python -m convert.demo` is for people.
"""

from pathlib import Path

from convert.demo.registry import DRAWINGS
from convert.demo.scene.studies import Brief, PhotoSize
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
    """Draw one source; files of the same names are overwritten, others left alone.

    Args:
        root: of the data; made if absent.
        source: a name of `DRAWINGS`.
        images: how many photos; a photo is the same however many there are.
        seed: of everything drawn. The same seed gives the same bytes.
        photo_size: `full` is upstream's.
        with_defects: add the defects that the real data is known for.
        crowd: so many times as many things in each photo.
    """
    return DRAWINGS[source](Brief(root, images, seed, photo_size, with_defects, crowd))
