"""How fast is the whole job, compared with a simple script and with the kernels alone?

Draws a miniature of seven sources (`bench.harness.mixture`) and converts it: with this program,
with a simple script (`bench.peers.naive`), with that script on stock Pillow and on Ray Data, and
with the kernels alone. Every way runs once per round, each time in a fresh process.
`bench.workers` converts more of the same mixture, without the script, which would take too long.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import yaml
from cyclopts import App, Parameter
from cyclopts.types import PositiveInt
from msgspec.structs import replace

from bench.harness.command import Claim, Table, publish, tabulate
from bench.harness.measure import Times, say
from bench.harness.mixture import DRAWN, GRAND, UPSTREAM, draw_mixture
from bench.peers.timed import MIXED
from bench.peers.ways import (
    BARE,
    DATA,
    HERE,
    NAIVE,
    PAIR,
    PAIR_STOCK,
    TIMED,
    TWO,
    WHOLE,
    Bench,
)  # fmt: skip
from convert.config.config import default_config
from convert.demo.scene.photos import PhotoSize
from convert.pillow import live_pillow

app = App(help=__doc__)
LARGE = ("grandf_ha", "mapillary", GRAND)
"""Sources of large photos, for which a worker needs most memory."""
SHARDS = 2
"""Shards per source, so that two workers finish at about the same time, as in a large job."""
WHOLE_TITLE = "Whole commands, a photo's share of the time"
COMPARED = (
    Claim(TWO, PAIR_STOCK, 5.0),
    Claim(TWO, PAIR, 5.0),
    Claim(PAIR, PAIR_STOCK),
    Claim(TWO, DATA),
    Claim(DATA, PAIR),
)
ALONE = (Claim(HERE, NAIVE), Claim(HERE, BARE))
UPSTREAM_TITLE = "A photo in upstream's proportions, derived from each source alone"
WEIGHED = (Claim(HERE, NAIVE, 5.0), Claim(HERE, BARE, 0.85))
MEMORY = 1000.0
"""Peak memory of a worker, at most; megabytes."""
_PACKAGES = ("ray", "simplejpeg", "pycocotools", "numpy", "opencv-python-headless", "webdataset")


def tables(mixed: Bench, alone: Bench) -> Iterator[Table]:
    """Whole commands, the mixed job, and each source alone; seconds per photo."""
    photos = mixed.photos(TWO)[MIXED]
    yield tabulate(WHOLE_TITLE, mixed.whole, [Claim(*WHOLE)], photos)
    about = f"All sources in one job of {photos} photos: {describe_mixture(alone.photos(HERE))}"
    yield tabulate(about, mixed.times(MIXED), COMPARED)
    if len(alone.sources) > 1:
        times = {source: alone.times(source) for source in alone.sources}
        yield tabulate(UPSTREAM_TITLE, weigh(times), WEIGHED)
    for source in alone.sources:
        yield tabulate(source, alone.times(source), ALONE)


def weigh(times: Mapping[str, Times]) -> Times:
    """Times per photo, averaged over sources in upstream's proportions.

    >>> weigh({"refcoco": {"ours": [1.0]}, "grandf_ha": {"ours": [18.994]}})
    {'ours': [2.0]}
    """
    total = sum(UPSTREAM[source] for source in times)
    weighed: dict[str, Sequence[float]] = {}
    for way in next(iter(times.values())):
        rounds = zip(*(times[source][way] for source in times), strict=True)
        shares = [UPSTREAM[source] / total for source in times]
        weighed[way] = [
            sum(share * each for share, each in zip(shares, of_round, strict=True))
            for of_round in rounds
        ]
    return weighed


def describe_mixture(photos: Mapping[str, int]) -> str:
    """Photos of each source, and the source's share upstream.

    >>> describe_mixture({"refcoco": 3, "grandf_ha": 1})
    '3 refcoco (upstream 94.4%), 1 grandf_ha (upstream 5.6%)'
    """
    total = sum(UPSTREAM[name] for name in photos)
    shares = (f"{n} {name} (upstream {UPSTREAM[name] / total:.1%})" for name, n in photos.items())
    return ", ".join(shares)


def describe_rates(times: Times) -> Iterator[str]:
    """Photos per second of every way, and per core."""
    width = max(map(len, times))
    for way, each in times.items():
        rate = 1 / median(each)
        yield f"  {way:{width}}  {rate:8.2f} photos/s  {rate / cores(way):8.2f} a core"


def cores(way: str) -> int:
    """Number of cores that a way uses."""
    return max(1, TIMED[way].workers)


def describe_memory(bench: Bench) -> str:
    """Peak memory of a worker that converts the largest photos."""
    large = [name for name in LARGE if name in bench.sources] or list(bench.sources)
    peak = bench.time(TIMED[HERE], large).peak / 1e6
    verdict = "met" if peak <= MEMORY else "MISSED"
    return f"A worker on {', '.join(large)} used {peak:.0f} MB; goal <= {MEMORY:g} {verdict}"


@app.default
def main(  # noqa: PLR0913 - one per option
    *,
    scale: PositiveInt = 1,
    photo_size: PhotoSize = "full",
    rounds: PositiveInt = 5,
    source: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = tuple(DRAWN),
    stock: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure.

    Args:
        scale: factor for the number of photos in `bench.harness.mixture.DRAWN`.
        photo_size: "full" is upstream's.
        rounds: number of rounds in which every way is timed.
        source: some of the seven sources that the script knows.
        stock: an interpreter with stock Pillow and everything else, created by
            `GLAMM_PILLOW=stock VENV=FOLDER bash .ci/setup convert dev consumers`.
        json: also write the figures to this file.
    """
    with TemporaryDirectory() as folder:
        root, work = Path(folder, "data"), Path(folder, "work")
        drawn = draw_mixture(root, source, scale=scale, photo_size=photo_size)
        config = write_config(Path(folder), drawn)
        mixed = Bench(root, work, config, source, stock)
        mixed.race([TWO, PAIR, PAIR_STOCK, DATA, *WHOLE], rounds)
        alone = Bench(root, work, config, source, each=True)
        alone.race([HERE, NAIVE, BARE], rounds)
        memory = describe_memory(mixed)
    pillow = f"{live_pillow().describe()} for all but the script with stock Pillow"
    say(pillow, memory, *describe_rates(mixed.times(MIXED)), "")
    whole, job, *others = tables(mixed, alone)
    about = f"{job.title}. {photo_size} size; {pillow}. {memory}"
    publish("convert", [whole, replace(job, title=about), *others], _PACKAGES, json)


def write_config(folder: Path, drawn: Mapping[str, int]) -> Path:
    """A copy of the shipped config with a shard size that suits the miniature.

    Args:
        folder: where to write it.
        drawn: source -> number of its photos.
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
