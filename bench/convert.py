"""How fast is the whole job, and where does it stand between a script and the bare kernels?

A miniature of seven sources is drawn and converted: by this program, by the script of an afternoon
(`bench.peers.naive`), by that script on Ray Data, and by the kernels alone. Each time is a fresh
process; round after round, every way in turn.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import yaml
from cyclopts import App, Parameter
from cyclopts.types import PositiveInt
from msgspec.structs import replace

from bench.command import Claim, Table, publish, tabulate
from bench.measure import Times, say
from bench.peers.listing import LISTINGS
from bench.peers.timed import MIXED
from bench.peers.ways import (
    BARE,
    COPY,
    DATA,
    HERE,
    NAIVE,
    ONE,
    PAIR,
    TIMED,
    TWINS,
    TWO,
    WHOLE,
    Bench,
)  # fmt: skip
from convert.config import default_config
from convert.demo import draw
from convert.demo.studies import PhotoSize
from convert.pillow import live_pillow

app = App(help=__doc__)
LARGE = ("grandf_ha", "mapillary", "grand_referring")
"""The sources of large photos: few take long, and a worker needs most memory for these."""
CROWDS = {"grand_referring": 14}
"""How crowded a source's photos are drawn: GranD names 810 million regions on 11 million photos, 74
on each; the scenes of the miniature have five things."""
_MORE_SMALL = 8
SHARDS = 2
"""Of each source, so that two workers end at about the same time, as in a job of thousands."""
WHOLE_TITLE = "Whole commands, a photo's share of the time"
COMPARED = (
    Claim(HERE, NAIVE, 5.0),
    Claim(TWO, PAIR, 5.0),
    Claim(TWO, ONE, 1.8),
    Claim(ONE, HERE, 0.95),
    Claim(TWO, TWINS, 0.95),
    Claim(HERE, BARE, 0.85),
    Claim(BARE, NAIVE),
    Claim(TWINS, HERE),
    Claim(PAIR, NAIVE),
    Claim(HERE, COPY),
    Claim(TWO, DATA),
    Claim(DATA, PAIR),
)
"""For the mixed job. Twins are what the cores can give, whoever hands out the work; the kernels
against the script are the most that a job without any overhead could reach."""
MEMORY = 1000.0
"""Megabytes that a worker may hold at the most."""
_PACKAGES = ("ray", "simplejpeg", "pycocotools", "numpy", "opencv-python-headless", "webdataset")


def tables(bench: Bench) -> Iterator[Table]:
    """Whole commands, the mixed job, and each source for itself; times are told for one photo."""
    yield tabulate(WHOLE_TITLE, bench.whole, [Claim(*WHOLE)], bench.photos[MIXED])
    yield tabulate(MIXED, bench.times(MIXED), COMPARED)
    for source in bench.sources:
        times = bench.times(source)
        alone = {way: times[way] for way in (NAIVE, HERE, BARE)}
        yield tabulate(source, alone, [Claim(HERE, NAIVE), Claim(HERE, BARE)])


def describe_rates(times: Times) -> Iterator[str]:
    """Photos a second of every way, and of each of its cores."""
    width = max(map(len, times))
    for way, each in times.items():
        rate = 1 / median(each)
        yield f"  {way:{width}}  {rate:8.2f} photos/s  {rate / cores(way):8.2f} a core"


def cores(way: str) -> int:
    """On how many a way runs."""
    return max(1, TIMED[way][1])


def describe_memory(bench: Bench) -> str:
    """What a worker held at the most, converting the largest photos there are."""
    large = [name for name in LARGE if name in bench.sources] or list(bench.sources)
    peak = bench.time("ours", 0, large).peak / 1e6
    verdict = "met" if peak <= MEMORY else "MISSED"
    return f"A worker on {', '.join(large)} held {peak:.0f} MB; goal <= {MEMORY:g} {verdict}"


@app.default
def main(
    *,
    images: PositiveInt = 32,
    photo_size: PhotoSize = "full",
    rounds: PositiveInt = 5,
    source: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = tuple(LISTINGS),
    json: Path | None = None,
) -> None:
    """Measure.

    Args:
        images: photos to draw of each source of large ones, eight times as many of the others;
            about three of four are for training.
        photo_size: full is upstream's.
        rounds: how often.
        source: these, of the seven that the script knows.
        json: a file for what was found.
    """
    with TemporaryDirectory() as folder:
        root, work = Path(folder, "data"), Path(folder, "work")
        drawn = {name: images * (1 if name in LARGE else _MORE_SMALL) for name in source}
        for name, count in drawn.items():
            draw(root, name, images=count, photo_size=photo_size, crowd=CROWDS.get(name, 1))
        config = write_config(Path(folder), drawn)
        bench = Bench(root, work, config, source)
        bench.race(rounds)
        memory = describe_memory(bench)
    counts = ", ".join(f"{count} {name}" for name, count in bench.photos.items())
    about = f"{photo_size} size: {counts}; {live_pillow().describe()} for all"
    say(about, memory, *describe_rates(bench.times(MIXED)), "")
    publish("convert", _titled(tables(bench), about, memory), _PACKAGES, json)


def _titled(found: Iterable[Table], about: str, memory: str) -> Iterator[Table]:
    for table in found:
        mixed = table.title == MIXED
        title = f"All sources in one job ({about}). {memory}" if mixed else table.title
        yield replace(table, title=title)


def write_config(folder: Path, drawn: Mapping[str, int]) -> Path:
    """The shipped config, with shards that suit the miniature.

    Args:
        folder: for the file.
        drawn: source -> its photos.
    """
    shipped = default_config()
    values = yaml.safe_load(shipped.read_text())
    for name, photos in drawn.items():
        values["sources"][name]["items_per_shard"] = max(1, photos // SHARDS)
    file = folder / shipped.name
    file.write_text(yaml.safe_dump(values))
    (folder / "classes").symlink_to(shipped.parent / "classes")
    return file


if __name__ == "__main__":
    app()
