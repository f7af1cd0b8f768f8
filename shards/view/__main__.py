"""`python -m shards.view OUT/refcoco/train`: a sheet of samples with everything drawn on them."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators
from cyclopts.types import NonNegativeInt
from PIL import Image

from shards.errors import ShardError
from shards.storage import write_whole
from shards.view import draw_sheet, draw_tile
from shards.view.samples import ViewError, choose, find_samples, open_sample_set, read_samples

MOST = 256
_OK, _FAILED = 0, 1
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


app = App(
    name="python -m shards.view",
    help_epilogue="Exit status: 0 the picture is drawn; 1 it is not, the message says why.",
)


@app.default
def view(
    shards: Path,
    /,
    *,
    n: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=MOST))] = 16,
    out: Path = Path("sheet.png"),
    seed: NonNegativeInt | None = None,
    key: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
) -> int:
    """Draw samples of a split: photos with masks and boxes, and their words in the same colours.

    Parameters
    ----------
    shards
        The folder of a split, such as OUT/refcoco/train, or one .tar file.
    n
        How many samples.
    out
        The picture, .png or .jpg.
    seed
        Draw samples by lot, the same ones for the same seed. The default is an even spread.
    key
        Draw these samples, in this order.
    """
    try:
        number = make_sheet(shards, out, n=n, seed=seed, keys=key or [])
    except ShardError as error:
        sys.stderr.write(f"view: {error}\n")
        return _FAILED
    sys.stdout.write(f"{out}: {number} samples\n" if number > 1 else f"{out}: 1 sample\n")
    return _OK


def make_sheet(path: Path, out: Path, *, n: int, seed: int | None, keys: Sequence[str]) -> int:
    """Draw the sheet, one sample in memory at a time; the number of samples on it.

    Raises:
        ShardError: if there is nothing to draw, something breaks the format, or the picture
            cannot be written; then there is none.
    """
    if out.suffix.lower() not in _FORMATS:
        raise ViewError(f"--out {out}: expected a name that ends in {', '.join(_FORMATS)}")
    shelf = open_sample_set(path)
    if keys:
        wanted = list(dict.fromkeys(keys))
        found = {s.key: draw_tile(s, shelf.classes) for s in find_samples(shelf, wanted)}
        tiles = [found[key] for key in wanted]
    else:
        chosen = choose([samples for _, samples in shelf.shards], n, seed)
        tiles = [draw_tile(sample, shelf.classes) for sample in read_samples(shelf, chosen)]
    total = sum(samples for _, samples in shelf.shards)
    _save(draw_sheet(tiles, f"{shelf.title}: {len(tiles)} of {total:,} samples"), out)
    return len(tiles)


def _save(sheet: Image.Image, out: Path) -> None:
    buffer = io.BytesIO()
    try:
        sheet.save(buffer, _FORMATS[out.suffix.lower()], quality=92)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, buffer.getvalue())
    except (OSError, ValueError) as error:  # Pillow's word for a picture too large for JPEG
        raise ViewError(f"--out {out}: cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(app())
