"""Which check detects damaged JPEG data, and what does it cost? `python -m bench.photo_checks`.

Photos are damaged at many positions and given to every check. Damage is missed if it changes pixels
and the check accepts it. Each photo is tested as it is and as a progressive JPEG, whose scans
libjpeg checks less strictly.

A folder of photos may be given; without one, photos of the demo are drawn.
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

from bench.harness.jpeg_checks import CHECKS, WHOLE, Check, accepts, recode, strip
from bench.harness.measure import Ways, machine, race, report, say, versions
from bench.harness.missed_damage import count_missed, list_harmless, tabulate_missed
from bench.harness.photos import read
from convert.demo import draw
from convert.errors import ImageDecodeError
from convert.image import transcode
from convert.image.header import read_jpeg_header

app = App(help=__doc__)
LARGEST = 500_000
"""Pixels; larger photos are only timed: damage to them would show nothing new."""


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
        folder: with photos, searched recursively.
        defects: a folder of broken photos to list one by one.
        photos: the most to use, evenly chosen.
        flips: number of bytes to change in each photo, one at a time.
    """
    warnings.simplefilter("ignore")  # about damaged metadata
    jpeg = f"libjpeg-turbo {features.version('libjpeg_turbo')} in Pillow"
    say(machine(), f"{versions('simplejpeg', 'pillow-simd', 'pillow', 'numpy')}, {jpeg}")
    if not transcode.COMPILED:
        say("the compiled transcoder was not built: its check accepts everything")
    valid = _valid(_select(folder, photos))
    for name, some in (("as they are", valid), ("progressive", list(map(_progressive, valid)))):
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
        raise SystemExit(f"{folder}: expected photos (*.jpg, *.jpeg), found none")
    return photos[:: max(1, -(-len(photos) // count))]


def _valid(photos: Sequence[bytes]) -> list[bytes]:
    """Photos without their metadata; only those that decode and can be transcoded."""
    valid = []
    for photo in photos:
        try:
            stripped = strip(photo)
            CHECKS[WHOLE](stripped)
            done = recode(stripped) is not None or not transcode.COMPILED
        except (ImageDecodeError, ValueError):
            continue
        if done:
            valid.append(stripped)
    return valid


def _progressive(photo: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(out, "JPEG", quality="keep", progressive=True)
    return out.getvalue()


def _compare(name: str, photos: Sequence[bytes], flips: int) -> None:
    """Print what every check costs, and what it misses once the photos are damaged."""
    sizes = [read_jpeg_header(photo).size for photo in photos]
    pixels = sum(size.height * size.width for size in sizes)
    say("", f"{len(photos)} photos {name}, {pixels / 1e6:.1f} Mpx, {sum(map(len, photos)):,} bytes")
    say(report(race(_ways(photos), rounds=5, seconds=0), WHOLE))
    small = [p for p, s in zip(photos, sizes, strict=True) if s.height * s.width <= LARGEST]
    counts = count_missed(small, flips)
    say("", f"{len(small)} of them damaged: missed damage that changes pixels")
    say(tabulate_missed(counts))
    say(f"damage that changes no pixel: {list_harmless(counts)}")


def _ways(photos: Sequence[bytes]) -> Ways:
    """Every check, and a decode and encode to compare with."""
    everything = {**CHECKS, "decode + encode": _encode_anew}
    return {name: partial(_each, check, photos) for name, check in everything.items()}


def _each(check: Check, photos: Sequence[bytes]) -> None:
    for photo in photos:
        check(photo)


def _encode_anew(data: bytes) -> None:
    pixels = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, strict=True)
    Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=95, subsampling="4:2:0")


def _list(folder: Path) -> None:
    """Print for every JPEG in a folder which checks refuse it, with and without its metadata."""
    letters = {name: chr(ord("A") + number) for number, name in enumerate(CHECKS)}
    say("", "checks that refuse a file; stripped means without metadata, if that is possible")
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
