"""How fast is a label map stored, and which compression suits it?

`python -m bench.label [FOLDER...]` uses the label maps of the folders, or draws some.
"""

import io
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

from bench.harness.command import Claim, Section, run
from bench.harness.measure import say
from convert.demo import draw
from convert.geometry import fit_longest_side
from convert.image.header import read_label_map_header
from convert.image.policy import ImagePolicy
from convert.record import LabelTable
from convert.sample.labels import read_plain_png, store_labels, write_gray_png
from shards.sample import Size

POLICY = ImagePolicy()
TABLE = LabelTable("any", bytes(range(256)), bytes([1] * 256), ())
OURS, PILLOW = "ours", "Pillow and numpy"
_MAPS = 4


def sections(typed: Namespace) -> Iterator[Section]:
    """Whole conversion, then decoding and encoding alone."""
    for name, maps in _by_size(typed.maps).items():
        chosen = maps[:_MAPS]
        whole = {OURS: partial(_each, _ours, chosen), PILLOW: partial(_each, _pillow, chosen)}
        yield Section(f"{name}: whole, a map", whole, [Claim(OURS, PILLOW)], len(chosen))
        decoders = {"read_plain_png": _plain, "Pillow": _decode}
        yield Section(
            f"{name}: decode, a map",
            {way: partial(_each, decode, chosen) for way, decode in decoders.items()},
            [Claim("read_plain_png", "Pillow")],
            len(chosen),
        )
        yield _encoders(name, [_stored(data) for data in chosen])


def _by_size(folders: Sequence[Path]) -> dict[str, list[bytes]]:
    if folders:
        paths = sorted(path for folder in folders for path in folder.rglob("*.png"))
        return {"given": [data for path in paths if _is_map(data := path.read_bytes())]}
    maps: dict[str, list[bytes]] = {}
    for source in ("ade20k", "mapillary"):
        with TemporaryDirectory() as folder:
            draw(Path(folder), source, images=_MAPS, photo_size="full")
            maps[source] = [path.read_bytes() for path in sorted(Path(folder).rglob("*.png"))]
    return maps


def _is_map(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode in {"L", "P"}


def _each(function: Callable[[bytes], object], maps: Sequence[bytes]) -> None:
    for data in maps:
        function(data)


def _stored_size(data: bytes) -> Size:
    return fit_longest_side(read_label_map_header(data, POLICY).size, POLICY.longest_side)


def _ours(data: bytes) -> None:
    header = read_label_map_header(data, POLICY)
    stored = fit_longest_side(header.size, POLICY.longest_side)
    store_labels(data, header, TABLE, header.size, stored)


def _pillow(data: bytes) -> None:
    """Decode, check for unknown values, look up, scale down and encode, each in the obvious way."""
    stored = _stored_size(data)
    values = _decode(data)
    known = np.frombuffer(TABLE.known, np.uint8)[np.flatnonzero(np.bincount(values.reshape(-1)))]
    if not known.all():
        raise SystemExit("a value is unknown")
    image = Image.fromarray(np.frombuffer(TABLE.lookup, np.uint8)[values])
    small = image.resize((stored.width, stored.height), Image.Resampling.NEAREST)
    small.save(io.BytesIO(), "PNG")


def _plain(data: bytes) -> None:
    if read_plain_png(data, POLICY.max_pixels) is None:
        _decode(data)  # as in the job: Pillow decodes filtered PNGs


def _decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _stored(data: bytes) -> NDArray[np.uint8]:
    stored = _stored_size(data)
    image = Image.fromarray(_decode(data))
    return np.asarray(image.resize((stored.width, stored.height), Image.Resampling.NEAREST))


def _save(level: int, values: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG", compress_level=level)
    return out.getvalue()


def _rows(values: NDArray[np.uint8]) -> bytes:
    return np.pad(values, ((0, 0), (1, 0))).tobytes()


def _encoders(name: str, maps: Sequence[NDArray[np.uint8]]) -> Section:
    """Ways to compress a map, with the number of bytes in their names."""
    ways: dict[str, Callable[[NDArray[np.uint8]], bytes]] = {
        "write_gray_png": write_gray_png,
        **{f"Pillow, level {level}": partial(_save, level) for level in (1, 6, 9)},
        "no filter, zlib 1": lambda values: zlib.compress(_rows(values), 1),
        "no filter, zlib 6": lambda values: zlib.compress(_rows(values), 6),
        "no filter, isal 2": lambda values: isal_zlib.compress(_rows(values), 2),
    }
    named = {}
    for way, encode in ways.items():
        size = sum(len(encode(values)) for values in maps) / len(maps)
        named[f"{way}: {size / 1000:.1f} kB"] = partial(
            lambda encode: [encode(values) for values in maps], encode
        )
    ours, _, theirs, *_ = named
    return Section(f"{name}: encode, a map", named, [Claim(ours, theirs)], len(maps))


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument("maps", type=Path, nargs="*", help="folders of label maps")


if __name__ == "__main__":
    say("values are counted, looked up and reduced to 1024; stored maps hold the same pixels")
    run("label", sections, ("isal", "pillow-simd", "pillow", "numpy"), arguments)
