"""What handing out the work costs: Ray against one process, on shards as large as real ones.

`python -m bench.workers [--copies N]`: Mapillary's photos are drawn once in full size and linked N
times under other names, so that a shard holds 100 MB and more of them.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.command import Claim, Table, publish, tabulate
from bench.convert import SHARDS as _SHARDS_DRAWN
from bench.convert import write_config
from bench.measure import race
from bench.peers.timed import MIXED, Timed
from bench.peers.ways import HERE, ONE, TIMED, TWINS, TWO, Bench
from convert.demo import draw

SOURCE = "mapillary"
_IMAGES, _SHARDS = 16, 4
"""An even number of shards: two workers end together, as they do in a job of thousands."""
_WAYS = (HERE, ONE, TWO, TWINS)
_CLAIMS = (Claim(ONE, HERE, 0.95), Claim(TWO, TWINS, 0.95), Claim(TWO, ONE, 1.8))
"""Twins are two processes without Ray that each do all of it: what the cores can give."""


def main() -> None:
    """Draw, link, race, tell."""
    parser = ArgumentParser(prog="python -m bench.workers")
    parser.add_argument("--copies", type=int, default=16, help="of each drawn photo")
    parser.add_argument("--rounds", type=int, default=5, help="times that every way is timed")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    typed = parser.parse_args()
    publish("workers", tables(typed), ("ray", "simplejpeg", "numpy"), typed.json)


def tables(typed: Namespace) -> Iterator[Table]:
    """One: seconds for a photo."""
    with TemporaryDirectory() as name:
        root = Path(name, "data")
        draw(root, SOURCE, images=_IMAGES, photo_size="full")
        photos = link(root, typed.copies)
        train = sum(1 for _ in (root / "Semantic_Segm/mapillary/training/images").iterdir())
        megabytes = sum(path.stat().st_size for path in root.rglob("*.jpg")) / 1e6
        bench = Bench(
            root,
            Path(name, "work"),
            write_config(Path(name), {SOURCE: train * _SHARDS_DRAWN // _SHARDS}),
            (SOURCE,),
        )
        found: dict[str, list[Timed]] = {way: [] for way in _WAYS}

        def time_way(way: str) -> None:
            found[way].append(bench.time(*TIMED[way], (SOURCE,)))

        race({way: lambda way=way: time_way(way) for way in _WAYS}, rounds=typed.rounds, seconds=0)  # type: ignore[misc]
        times = {
            way: [timed.seconds[MIXED] / timed.photos[MIXED] for timed in each[1:]]
            for way, each in found.items()
        }
        title = f"{photos} photos of 8 and 12 megapixels, {megabytes:.0f} MB, a photo"
        yield tabulate(title, times, _CLAIMS)


def link(root: Path, copies: int) -> int:
    """Give every photo and label map further names; the number of photos there are then."""
    paths = [path for path in root.rglob("*") if path.suffix in {".jpg", ".png"}]
    for path in paths:
        for number in range(1, copies):
            path.with_name(f"{path.stem}-{number}{path.suffix}").hardlink_to(path)
    return sum(path.suffix == ".jpg" for path in root.rglob("*.jpg"))


if __name__ == "__main__":
    main()
