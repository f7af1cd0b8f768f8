"""`python -m convert.demo --root DIR`: draw a miniature of the sources."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.types import NonNegativeInt, PositiveInt
from rich.console import Console

from convert.demo import DRAWINGS, draw
from convert.demo.scene.photos import PhotoSize

app = App(name="python -m convert.demo")


_Root = Annotated[
    Path,
    Parameter(
        help="The folder to draw in. Files of the same names are overwritten; others are kept."
    ),
]
_Images = Annotated[PositiveInt, Parameter(help="Number of photos of each source.")]
_Sources = Annotated[
    list[str] | None,
    Parameter(consume_multiple=True, negative=(), help="Draw only these sources."),
]
_Seed = Annotated[NonNegativeInt, Parameter(help="The same seed gives the same bytes.")]
_PhotoSize = Annotated[PhotoSize, Parameter(help="full: photos as large as upstream's.")]
_Defects = Annotated[
    bool,
    Parameter(negative=(), help="Add photos and rows with the defects of the real data."),
]
_Crowd = Annotated[PositiveInt, Parameter(help="Factor for the number of things in each photo.")]


@app.default
def main(  # noqa: PLR0913 - a command has the options it has
    *,
    root: _Root,
    images: _Images = 8,
    source: _Sources = None,
    seed: _Seed = 0,
    photo_size: _PhotoSize = "small",
    with_defects: _Defects = False,
    crowd: _Crowd = 1,
) -> int:
    """Draw a miniature of GLaMM's sources, each in its upstream layout."""
    console = Console(stderr=True)
    unknown = sorted(set(source or ()) - DRAWINGS.keys())
    if unknown:
        known = ", ".join(DRAWINGS)
        console.print(f"demo: no source {', '.join(unknown)}; there are {known}", style="red")
        return 2
    for name in source or DRAWINGS:
        truth = draw(root, name, images=images, seed=seed, photo_size=photo_size,
                     with_defects=with_defects, crowd=crowd)  # fmt: skip
        defective = f", {len(truth.rejects)} of them defective" if truth.rejects else ""
        total = len(truth.samples) + len(truth.rejects)
        console.print(f"drew {name}: {total} photos{defective}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(app())
