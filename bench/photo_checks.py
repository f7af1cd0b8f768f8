"""Which check finds damaged JPEG data, and what does it cost? `python -m bench.photo_checks`.

Photos are damaged in many places, and every check is asked. Only damage that changes the pixels
counts: what a check takes although it does is missed. Each photo is looked at as it is and made
progressive, whose scans libjpeg guards less well.

A folder of photos may be given; without one, the demo's are drawn.
"""

import io
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg
from cyclopts import App
from cyclopts.types import ExistingDirectory, PositiveInt
from PIL import Image, features

from bench.measure import Ways, machine, race, report, say, versions
from convert import transcode
from convert.decode import PIL_ERRORS, check_jpeg
from convert.demo import draw
from convert.errors import ImageDecodeError
from convert.jpeg import EOI, SOS, read_jpeg_header, strip_jpeg

app = App(help=__doc__)
END = bytes((0xFF, EOI))
WHOLE = "simplejpeg, whole"
LAXER, STRICTER = "laxer", "stricter"
"""How often a check is so than the whole decode."""
LARGEST = 500_000
"""Pixels; larger photos are timed, not damaged: their kinds of damage are the same."""
CUTS, STRETCHES = 10, 20

Check = Callable[[bytes], object]
Damaged = Iterator[tuple[str, bytes]]


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
        folder: of photos, searched to its bottom.
        defects: a folder of broken photos, to be listed one by one.
        photos: at most so many of them, evenly chosen.
        flips: bytes to change in each photo, one at a time.
    """
    warnings.simplefilter("ignore")  # about damaged metadata
    jpeg = f"libjpeg-turbo {features.version('libjpeg_turbo')} in Pillow"
    say(machine(), f"{versions('simplejpeg', 'pillow-simd', 'pillow', 'numpy')}, {jpeg}")
    if not transcode.AVAILABLE:
        say("the compiled transcoder was not built: it takes everything")
    found = _sound(_read(folder, photos))
    for name, some in (("as they are", found), ("progressive", list(map(_progressive, found)))):
        _compare(name, some, flips)
    if defects is not None:
        _list(defects)


def _compare(name: str, photos: Sequence[bytes], flips: int) -> None:
    sizes = [read_jpeg_header(photo).size for photo in photos]
    pixels = sum(size.height * size.width for size in sizes)
    say("", f"{len(photos)} photos {name}, {pixels / 1e6:.1f} Mpx, {sum(map(len, photos)):,} bytes")
    say(report(race(_ways(photos), rounds=5, seconds=0), WHOLE))
    small = [p for p, s in zip(photos, sizes, strict=True) if s.height * s.width <= LARGEST]
    missed, made, harmful = _ask(small, flips)
    say("", f"{len(small)} of them damaged: missed of what changes pixels", _table(missed, harmful))
    untouched = ", ".join(f"{kind} {made[kind] - harmful[kind]} of {made[kind]}" for kind in made)
    say(f"damage that changes no pixel: {untouched}")


def _ask(
    photos: Sequence[bytes], flips: int
) -> tuple[Mapping[str, Counter[str]], Counter[str], Counter[str]]:
    """(check -> kind of damage -> times missed, and how often it was made, and changed pixels)."""
    missed: dict[str, Counter[str]] = {name: Counter() for name in CHECKS}
    made: Counter[str] = Counter()
    harmful: Counter[str] = Counter()
    for number, photo in enumerate(photos):
        whole = _decode_anyhow(photo)
        for kind, data in _damage(photo, flips, np.random.default_rng(number)):
            made[kind] += 1
            if _same(_decode_anyhow(data), whole):
                continue
            harmful[kind] += 1
            taken = {name for name, check in CHECKS.items() if _takes(check, data)}
            for name in taken:
                missed[name][kind] += 1
            for name in CHECKS:
                missed[name][LAXER] += name in taken and WHOLE not in taken
                missed[name][STRICTER] += name not in taken and WHOLE in taken
    return missed, made, harmful


def _table(missed: Mapping[str, Counter[str]], harmful: Counter[str]) -> str:
    kinds = [*harmful, LAXER, STRICTER]
    width = max(map(len, missed))
    lines = [f"{'':{width}}  " + "  ".join(f"{kind:>14}" for kind in kinds)]
    counts = "  ".join(f"{harmful[kind] or harmful.total():>14}" for kind in kinds)
    lines.append(f"{'(of)':{width}}  {counts}")
    for name, each in missed.items():
        lines.append(f"{name:{width}}  " + "  ".join(f"{each[kind]:>14}" for kind in kinds))
    return "\n".join(lines)


def _damage(photo: bytes, flips: int, chance: np.random.Generator) -> Damaged:
    """(kind of damage, the photo with it), in its picture data."""
    start = photo.index(bytes((0xFF, SOS))) + 14
    stop = len(photo) - len(END)
    for place in np.linspace(start, stop, CUTS, endpoint=False, dtype=int):
        yield "cut", photo[:place]
        yield "cut and ended", photo[:place] + END
        yield "zeros to end", photo[:place] + bytes(len(photo) - place)
    scans = [i for i in range(start, stop) if photo.startswith(bytes((0xFF, SOS)), i)]
    for place in scans:
        yield "scans missing", photo[:place] + END
    for place in chance.integers(start, stop - 64, STRETCHES):
        yield "64 zeroed", photo[:place] + bytes(64) + photo[place + 64 :]
    for place, change in zip(
        chance.integers(start, stop, flips), chance.integers(1, 256, flips), strict=True
    ):
        changed = bytes((photo[place] ^ int(change),))
        yield "byte changed", photo[:place] + changed + photo[place + 1 :]


def _list(folder: Path) -> None:
    names = {name: f"{chr(ord('A') + number)}" for number, name in enumerate(CHECKS)}
    say("", "who refuses which file; stripped of metadata where that is possible")
    say(*(f"  {letter}  {name}" for name, letter in names.items()))
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if not data.startswith(b"\xff\xd8"):
            continue
        try:
            stripped = strip_jpeg(data)
        except ImageDecodeError:
            stripped = data
        columns = [
            "".join("." if _takes(check, each) else names[name] for name, check in CHECKS.items())
            for each in (data, stripped)
        ]
        say(f"{path.name:32} as it is {columns[0]}   stripped {columns[1]}")


def _ways(photos: Sequence[bytes]) -> Ways:
    """Every check, and what re-encoding costs."""
    everything = {**CHECKS, "decode + encode": _encode_anew}
    return {name: partial(_each, check, photos) for name, check in everything.items()}


def _each(check: Check, photos: Sequence[bytes]) -> None:
    for photo in photos:
        check(photo)


def _takes(check: Check, data: bytes) -> bool:
    try:
        with redirect_stderr(io.StringIO()):
            check(data)
    except (ImageDecodeError, *PIL_ERRORS):
        return False
    return True


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


def _decode_anyhow(data: bytes) -> np.ndarray | None:
    """What a lenient reader makes of it, or None: uint8 [height, width, 3]."""
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, strict=False)
    except ValueError:
        return None
    return pixels


def _verify(data: bytes) -> None:
    Image.open(io.BytesIO(data)).verify()


def _load(data: bytes) -> None:
    Image.open(io.BytesIO(data)).load()


def _decode(data: bytes, colours: str = "RGB", factor: int = 1) -> None:
    simplejpeg.decode_jpeg(
        data, colours, fastdct=False, fastupsample=False, strict=True,
        **({"min_height": 1, "min_width": 1, "min_factor": factor} if factor > 1 else {}),
    )  # fmt: skip


def _decode_to_the_last_byte(data: bytes) -> None:
    """Refuse what still decodes one byte shorter: libjpeg overlooks up to seven left over."""
    check_jpeg(data)
    body = data.removesuffix(END)
    shorter = body[:-2] if body.endswith(b"\xff\0") else body[:-1]
    try:
        check_jpeg(shorter + END)
    except ImageDecodeError:
        return
    raise ImageDecodeError("more picture data than picture")


def _encode_anew(data: bytes) -> None:
    pixels = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False, strict=True)
    Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=95, subsampling="4:2:0")


CHECKS: dict[str, Check] = {
    WHOLE: _decode,
    "read_jpeg_header": read_jpeg_header,
    "strip_jpeg": strip_jpeg,
    "Pillow, verify": _verify,
    "Pillow, load": _load,
    "simplejpeg, 1/8 RGB": partial(_decode, factor=8),
    "simplejpeg, 1/8 gray": partial(_decode, colours="GRAY", factor=8),
    "check_jpeg": check_jpeg,
    "check_jpeg, twice": _decode_to_the_last_byte,
    "to_baseline": transcode.to_baseline,
}


def _read(folder: Path | None, count: int) -> list[bytes]:
    """JPEGs, evenly chosen from a folder, or drawn."""
    if folder is None:
        with tempfile.TemporaryDirectory() as drawn:
            draw(Path(drawn), "refcoco", images=count, photo_size="full")
            return _read(Path(drawn), count)
    found = [path.read_bytes() for path in sorted(folder.rglob("*.jp*g"))]
    found = [data for data in found if data.startswith(b"\xff\xd8")]
    if not found:
        raise SystemExit(f"no photos in {folder}")
    return found[:: max(1, -(-len(found) // count))]


def _sound(photos: Sequence[bytes]) -> list[bytes]:
    """Without metadata; only those that decode, and that can be transcoded."""
    sound = []
    for photo in photos:
        try:
            stripped = strip_jpeg(photo)
            _decode(stripped)
            done = transcode.to_baseline(stripped) is not None or not transcode.AVAILABLE
        except (ImageDecodeError, ValueError):
            continue
        if done:
            sound.append(stripped)
    return sound


def _progressive(photo: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(out, "JPEG", quality="keep", progressive=True)
    return out.getvalue()


if __name__ == "__main__":
    app()
