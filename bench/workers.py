"""How much of the cores does the job use, on shards as large as real ones?

`python -m bench.workers [--copies N] [--scale N]` draws Mapillary's photos once in full size and
links each N times under other names, so that a shard has 100 MB or more. Then it converts the
mixture of `bench.harness.mixture`, N times as large, in one process, on Ray, and with the kernels
alone.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.convert import SHARDS as _SHARDS_DRAWN
from bench.convert import write_config
from bench.harness.command import Claim, Table, publish, tabulate
from bench.harness.mixture import DRAWN, draw_mixture
from bench.peers.timed import MIXED
from bench.peers.ways import BARE, HERE, ONE, TWINS, TWO, Bench
from convert.demo import draw

SOURCE = "mapillary"
_IMAGES, _SHARDS = 16, 4
"""An even number of shards: two workers finish together, as in a job of thousands."""
_WAYS = (HERE, ONE, TWO, TWINS)
_CLAIMS = (Claim(ONE, HERE, 0.95), Claim(TWO, TWINS, 0.95), Claim(TWO, ONE, 1.8))
"""Twins are two processes without Ray that each do the whole job: the limit of the cores."""
_MIXED_CLAIMS = (Claim(HERE, BARE, 0.85), *_CLAIMS)


def main() -> None:
    """Draw, link, measure and print."""
    parser = ArgumentParser(prog="python -m bench.workers")
    parser.add_argument("--copies", type=int, default=16, help="names for each drawn photo")
    parser.add_argument("--scale", type=int, default=4, help="size of the mixture; 0 skips it")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which every way is timed")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    typed = parser.parse_args()
    publish("workers", tables(typed), ("ray", "simplejpeg", "numpy"), typed.json)


def tables(typed: Namespace) -> Iterator[Table]:
    """Seconds per photo: one source, then all sources."""
    if typed.copies:
        yield _one_source(typed)
    if typed.scale:
        yield _mixture(typed)


def _one_source(typed: Namespace) -> Table:
    with TemporaryDirectory() as name:
        root = Path(name, "data")
        draw(root, SOURCE, images=_IMAGES, photo_size="full")
        photos = link(root, typed.copies)
        train = sum(1 for _ in (root / "Semantic_Segm/mapillary/training/images").iterdir())
        megabytes = sum(path.stat().st_size for path in root.rglob("*.jpg")) / 1e6
        config = write_config(Path(name), {SOURCE: train * _SHARDS_DRAWN // _SHARDS})
        bench = Bench(root, Path(name, "work"), config, (SOURCE,))
        bench.race(_WAYS, typed.rounds)
        title = f"{photos} photos of 8 and 12 megapixels, {megabytes:.0f} MB, a photo"
        return tabulate(title, bench.times(MIXED), _CLAIMS)


def _mixture(typed: Namespace) -> Table:
    with TemporaryDirectory() as name:
        root = Path(name, "data")
        drawn = draw_mixture(root, tuple(DRAWN), scale=typed.scale)
        bench = Bench(root, Path(name, "work"), write_config(Path(name), drawn), tuple(DRAWN))
        bench.race((*_WAYS, BARE), typed.rounds)
        photos = bench.photos(HERE)[MIXED]
        title = f"All sources in one job of {photos} photos, a photo"
        return tabulate(title, bench.times(MIXED), _MIXED_CLAIMS)


def link(root: Path, copies: int) -> int:
    """Number of photos after every photo and label map was hard-linked to further names."""
    paths = [path for path in root.rglob("*") if path.suffix in {".jpg", ".png"}]
    for path in paths:
        for number in range(1, copies):
            path.with_name(f"{path.stem}-{number}{path.suffix}").hardlink_to(path)
    return sum(path.suffix == ".jpg" for path in root.rglob("*.jpg"))


if __name__ == "__main__":
    main()
