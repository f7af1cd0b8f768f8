"""How fast do this loader, other loaders, and reading alone deliver samples?

Samples have 80 kB: drawn photos of 640x480 with 14 masks each, in every library's own format. Each
time is measured in fresh processes, from the first batch on; every round times every way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, get_args

from cyclopts import App, Parameter
from cyclopts.types import PositiveFloat, PositiveInt

from bench.harness.command import Claim, Table, publish
from bench.harness.measure import say
from bench.harness.photos import drawn
from bench.peers.loaders import bare, contests, ours
from bench.peers.loaders.data import OURS, SIZE, photo_of_size, with_photos, write
from bench.peers.loaders.formats import write_formats
from bench.peers.loaders.large import large_table
from bench.peers.loaders.race import Setting, race
from bench.peers.loaders.registry import WAYS
from bench.peers.loaders.tables import table
from bench.peers.loaders.timed import Timed
from shards.manifest import read_manifest

app = App(help=__doc__)
Part = Literal["warm", "cold", "steady", "ranks", "cold-ranks", "decoded", "memory"]
PARTS: tuple[Part, ...] = get_args(Part)
_UNRANKED = "Not measured: MDS, whose ranks wait for each other when one has ended"
PACKAGES = (
    "simplejpeg",
    "numpy",
    "torch",
    "webdataset",
    "wids",
    "nvidia-dali-cuda120",
    "litdata",
    "mosaicml-streaming",
    "megatron-energon",
)
_PHOTOS = 64
_EPOCH = 60.0
"""Seconds; longer than an epoch."""
_DECODED = 4
"""Factor on the time: a batch takes about 30 ms, and the end of an epoch must be included."""
_DOMINANT = 0.75
"""A step with at least this share of the time is reported as the limit."""


def tables(setting: Setting, parts: Sequence[Part], disk: int) -> Iterator[Table]:
    """The requested tables. They name the ways whose library is not installed."""
    manifest = read_manifest(setting.split)
    size = sum(info.bytes for info in manifest.shards) / manifest.samples
    about = f"{manifest.samples:,} samples of {size / 1e3:.0f} kB"
    comparisons = _comparisons(setting, about, disk)
    for part in PARTS:
        if part not in parts:
            continue
        if part == "memory":
            yield large_table(setting, ours.ONE)
            continue
        title, here, ways, claims = comparisons[part]
        present, absent = split_ways(ways)
        try:
            runs = race(here, present)
        except OSError as error:
            if not here.disk:
                raise
            say(f"not measured, a disk limited to a rate: {error}")
            continue
        notes = [limit(runs), absent]
        yield table(". ".join([title, *filter(None, notes)]), runs, claims, size)


def _comparisons(
    setting: Setting, about: str, disk: int
) -> Mapping[Part, tuple[str, Setting, Iterable[str], Iterable[Claim]]]:
    """(title, setting, ways, claims) of each part."""
    cold, two = replace(setting, cold=True), replace(setting, world=2)
    steady = replace(cold, disk=disk * 1_000_000, seconds=_EPOCH)
    long = replace(setting, seconds=_DECODED * setting.seconds)
    raw = "Raw, shuffled, page cache"
    ranks = "Raw, two processes as two ranks"
    return {
        "warm": (f"{raw} warm; {about}", setting, contests.RAW, contests.OF_WARM),
        "cold": (f"{raw} cold; {about}", cold, contests.RAW, contests.OF_COLD),
        "steady": (
            f"{raw} cold, from a disk held to {disk} MB/s; {about}",
            steady, contests.STEADY, contests.OF_STEADY,
        ),
        "ranks": (
            f"{ranks}, warm; {about}. {_UNRANKED}",
            two, (*contests.RANKED, *contests.WORKERS), (*contests.OF_RANKS, *contests.OF_WORKERS),
        ),
        "cold-ranks": (
            f"{ranks}, cold; {about}",
            replace(cold, world=2), contests.RANKED, contests.OF_COLD,
        ),
        "decoded": (
            f"Decoded to batches of {setting.batch} on two cores, warm; {about}",
            long, contests.DECODED, contests.OF_DECODED,
        ),
    }  # fmt: skip


def split_ways(ways: Iterable[str]) -> tuple[list[str], str]:
    """(ways whose libraries are installed, a sentence about the others)."""
    present, absent = [], []
    for name in ways:
        missing = WAYS[name].missing
        if missing:
            absent.append(f"{name} ({', '.join(missing)} is not installed)")
        else:
            present.append(name)
    return present, f"Not measured: {'; '.join(absent)}" if absent else ""


def limit(runs: Mapping[str, Sequence[Timed]]) -> str:
    """A sentence about what limits our loader: reading, decoding, or the rest."""
    way, part, name = _parts(runs)
    if way not in runs or part not in runs:
        return ""
    pairs = zip(runs[part], runs[way], strict=True)
    share = median(
        alone.seconds / alone.samples * whole.samples / whole.seconds for alone, whole in pairs
    )
    what = name if share >= _DOMINANT else "the hand-over"
    return f"{name.capitalize()} alone takes {share:.2f} of the time of {way}: the limit is {what}"


def _parts(runs: Mapping[str, Sequence[Timed]]) -> tuple[str, str, str]:
    if bare.DECODES in runs:
        return ours.CPU, bare.DECODES, "decoding"
    return ours.ONE, bare.READS, "reading"


def write_all(root: Path, samples: int) -> Path:
    """Write every format, with drawn photos; returns our own split."""
    photos = [photo_of_size(data, SIZE) for data in drawn("grandf_ha", _PHOTOS)]
    split = write(root, with_photos(photos, samples), samples)
    write_formats(root)
    return split


@app.default
def main(  # noqa: PLR0913 - one per option
    *,
    samples: PositiveInt = 10_000,
    batch: PositiveInt = 64,
    seconds: PositiveFloat = 1.0,
    rounds: PositiveInt = 5,
    part: Annotated[tuple[Part, ...], Parameter(consume_multiple=True)] = PARTS,
    disk: PositiveInt = 500,
    root: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure.

    Args:
        samples: number of samples; every format takes 80 kB for each.
        batch: samples of a batch.
        seconds: time that each way is measured for in a round.
        rounds: number of rounds.
        part: what to measure.
        disk: limit of the part `steady` for the disk, in MB per second; needs root.
        root: a folder for the formats, which is kept and reused.
        json: a file for the results.
    """
    with TemporaryDirectory() as folder:
        formats = root or Path(folder)
        marker = formats / f"written-{samples}"
        split = formats / OURS
        if not marker.exists():
            split = write_all(formats, samples)
            marker.touch()
        say(f"{samples:,} samples in every format, batches of {batch}")
        setting = Setting(formats, split, batch, seconds, rounds)
        publish("loader", tables(setting, part, disk), PACKAGES, json)


if __name__ == "__main__":
    app()
