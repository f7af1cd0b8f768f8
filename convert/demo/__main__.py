"""`python -m convert.demo --root DIR`: draw a miniature of the sources."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.types import NonNegativeInt, PositiveInt
from rich.console import Console

from convert.demo import DRAWINGS, draw
from convert.demo.scene.studies import PhotoSize

app = App(name="python -m convert.demo")


@app.default
def main(  # noqa: PLR0913 - a command has the options it has
    *,
    root: Path,
    images: PositiveInt = 8,
    source: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    seed: NonNegativeInt = 0,
    photo_size: PhotoSize = "small",
    with_defects: Annotated[bool, Parameter(negative=())] = False,
    crowd: PositiveInt = 1,
) -> int:
    """Draw a miniature of GLaMM's sources, each in its upstream layout.

    Parameters
    ----------
    root
        Where to draw it. Files of the same names are overwritten, others are left alone.
    images
        Photos of each source.
    source
        Only these sources.
    seed
        The same seed gives the same bytes.
    photo_size
        `full` draws photos as large as upstream's.
    with_defects
        Add the defects that the real data is known for.
    crowd
        So many times as many things in each photo.
    """
    console = Console(stderr=True)
    unknown = sorted(set(source or ()) - DRAWINGS.keys())
    if unknown:
        known = ", ".join(DRAWINGS)
        console.print(f"demo: no source {', '.join(unknown)}; there are {known}", style="red")
        return 2
    for name in source or DRAWINGS:
        truth = draw(root, name, images=images, seed=seed, photo_size=photo_size,
                     with_defects=with_defects, crowd=crowd)  # fmt: skip
        spoilt = f", {len(truth.rejects)} of them spoilt" if truth.rejects else ""
        total = len(truth.samples) + len(truth.rejects)
        console.print(f"drew {name}: {total} photos{spoilt}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(app())
