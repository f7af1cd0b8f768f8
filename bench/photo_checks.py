"""Which check detects damaged JPEG data, and what does it cost? `python -m bench.photo_checks`.

Photos are damaged at many offsets, and every check runs on each of them. Damage counts only if it
changes pixels; a check misses it if it accepts the photo. Each photo is used as it is and as a
progressive one, whose scans libjpeg checks less.

A folder of photos may be given; without one, the demo's are drawn.
"""

import io
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import simplejpeg
from cyclopts import App
from cyclopts.types import ExistingDirectory, PositiveInt
from PIL import Image, features

from bench.harness.measure import Ways, machine, race, report, say, versions
from bench.harness.photos import read
from bench.jpeg_checks import CHECKS, WHOLE, Check, accepts, recode, strip
from bench.missed_damage import list_harmless, run_checks, tabulate_missed
from convert.demo import draw
from convert.errors import ImageDecodeError
from convert.image import transcode
from convert.image.header import read_jpeg_header

app = App(help=__doc__)
LARGEST = 500_000
"""Pixels; larger photos are timed, not damaged: their kinds of damage are the same."""


@app.default
def main(
    folder: ExistingDirectory | None = None,
    *,
    defects: ExistingDirectory | None = None,
    photos: PositiveInt = 12,
    flips: PositiveInt = 200,
) -> None:
    """Compare the checks.

    Args:
        folder: of photos, with all its subfolders.
        defects: a folder of broken photos, to be listed one by one.
        photos: the most to use, evenly sampled.
        flips: bytes to change in each photo, one at a time.
    """
    warnings.simplefilter("ignore")  # about damaged metadata
    jpeg = f"libjpeg-turbo {features.version('libjpeg_turbo')} in Pillow"
    say(machine(), f"{versions('simplejpeg', 'pillow-simd', 'pillow', 'numpy')}, {jpeg}")
    if not transcode.COMPILED:
        say("the transcoder is not compiled: to_baseline accepts everything")
    chosen = _undamaged(_select(folder, photos))
    for name, some in (("as they are", chosen), ("progressive", list(map(_progressive, chosen)))):
        _compare(name, some, flips)
    if defects is not None:
        _list(defects)


def _select(folder: Path | None, count: int) -> list[bytes]:
    """JPEGs, evenly sampled from a folder, or drawn."""
    if folder is None:
        with TemporaryDirectory() as drawn:
            draw(Path(drawn), "refcoco", images=count, photo_size="full")
            return _select(Path(drawn), count)
    photos = read([folder])
    if not photos:
        raise SystemExit(f"no photos in {folder}")
    return photos[:: max(1, -(-len(photos) // count))]


def _undamaged(photos: Sequence[bytes]) -> list[bytes]:
    """Those that decode and can be transcoded, without metadata."""
    undamaged = []
    for photo in photos:
        try:
            stripped = strip(photo)
            CHECKS[WHOLE](stripped)
            done = recode(stripped) is not None or not transcode.COMPILED
        except (ImageDecodeError, ValueError):
            continue
        if done:
            undamaged.append(stripped)
    return undamaged


def _progressive(photo: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(out, "JPEG", quality="keep", progressive=True)
    return out.getvalue()


def _compare(name: str, photos: Sequence[bytes], flips: int) -> None:
    """Print what every check costs on the photos, and what it misses when they are damaged."""
    sizes = [read_jpeg_header(photo).size for photo in photos]
    pixels = sum(size.height * size.width for size in sizes)
    say("", f"{len(photos)} photos {name}, {pixels / 1e6:.1f} Mpx, {sum(map(len, photos)):,} bytes")
    say(report(race(_ways(photos), rounds=5, seconds=0), WHOLE))
    small = [p for p, s in zip(photos, sizes, strict=True) if s.height * s.width <= LARGEST]
    results = run_checks(small, flips)
    say("", f"{len(small)} of them damaged: missed of what changes pixels")
    say(tabulate_missed(results))
    say(f"damage that changes no pixel: {list_harmless(results)}")


def _ways(photos: Sequence[bytes]) -> Ways:
    """Every check, and re-encoding."""
    everything = {**CHECKS, "decode + encode": _encode_anew}
    return {name: partial(_each, check, photos) for name, check in everything.items()}


def _each(check: Check, photos: Sequence[bytes]) -> None:
    for photo in photos:
        check(photo)


def _encode_anew(data: bytes) -> None:
    pixels = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, strict=True)
    Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=95, subsampling="4:2:0")


def _list(folder: Path) -> None:
    """Print which checks refuse each JPEG of a folder, as it is and without metadata."""
    letters = {name: chr(ord("A") + number) for number, name in enumerate(CHECKS)}
    say("", "which checks refuse which file; without metadata where it can be removed")
    say(*(f"  {letter}  {name}" for name, letter in letters.items()))
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if not data.startswith(b"\xff\xd8"):
            continue
        try:
            stripped = strip(data)
        except ImageDecodeError:
            stripped = data
        columns = [
            "".join("." if accepts(check, each) else letters[n] for n, check in CHECKS.items())
            for each in (data, stripped)
        ]
        say(f"{path.name:32} as it is {columns[0]}   stripped {columns[1]}")


if __name__ == "__main__":
    app()
