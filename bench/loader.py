"""How fast are samples loaded: by this program, by other people's, and by reading alone?

Samples of 80 kB, drawn photos of 640x480 with 14 masks each, in every library's own format. Each
time is of fresh processes, from the first batch on; round after round, every way in turn.
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
from bench.peers.loaders.timed import Timed
from bench.peers.loaders.told import table
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
"""Seconds; more than an epoch takes."""
_DECODED = 4
"""Times as long as for bytes: a batch takes some 30 ms, and an epoch's end is to be among them."""
_DOMINANT = 0.75
"""A part that takes so much of the time is said to be the limit; else it is what joins them."""


def tables(setting: Setting, parts: Sequence[Part], disk: int) -> Iterator[Table]:
    """What is asked for; ways whose library is absent are named."""
    manifest = read_manifest(setting.split)
    size = sum(info.bytes for info in manifest.shards) / manifest.samples
    about = f"{manifest.samples:,} samples of {size / 1e3:.0f} kB"

    def measured(title: str, here: Setting, ways: Iterable[str], claims: Iterable[Claim]) -> Table:
        present, absent = split_ways(ways)
        found = race(here, present)
        notes = [limit(found), absent]
        return table(". ".join([title, *filter(None, notes)]), found, claims, size)

    cold, two = replace(setting, cold=True), replace(setting, world=2)
    if "warm" in parts:
        yield measured(
            f"Raw, shuffled, page cache warm; {about}", setting, contests.RAW, contests.OF_WARM
        )
    if "cold" in parts:
        yield measured(
            f"Raw, shuffled, page cache cold; {about}", cold, contests.RAW, contests.OF_COLD
        )
    if "steady" in parts:
        title = f"Raw, shuffled, page cache cold, from a disk held to {disk} MB/s; {about}"
        held = replace(cold, disk=disk * 1_000_000, seconds=_EPOCH)
        try:
            yield measured(title, held, contests.STEADY, contests.OF_STEADY)
        except OSError as error:
            say(f"not measured, a disk held to a rate: {error}")
    if "ranks" in parts:
        ways = (*contests.RANKED, *contests.WORKERS)
        claims = (*contests.OF_RANKS, *contests.OF_WORKERS)
        yield measured(
            f"Raw, two processes as two ranks, warm; {about}. {_UNRANKED}", two, ways, claims
        )
    if "cold-ranks" in parts:
        both = replace(cold, world=2)
        yield measured(
            f"Raw, two processes as two ranks, cold; {about}",
            both,
            contests.RANKED,
            contests.OF_COLD,
        )
    if "decoded" in parts:
        title = f"Decoded to batches of {setting.batch} on two cores, warm; {about}"
        long = replace(setting, seconds=_DECODED * setting.seconds)
        yield measured(title, long, contests.DECODED, contests.OF_DECODED)
    if "memory" in parts:
        yield large_table(setting, ours.ONE)


def split_ways(ways: Iterable[str]) -> tuple[list[str], str]:
    """Ways whose libraries are here, and a sentence about the others."""
    present, absent = [], []
    for name in ways:
        lacks = WAYS[name].lacks
        if lacks:
            absent.append(f"{name} ({', '.join(lacks)} is not installed)")
        else:
            present.append(name)
    return present, f"Not measured: {'; '.join(absent)}" if absent else ""


def limit(found: Mapping[str, Sequence[Timed]]) -> str:
    """What a sample's time goes to where we load it: reading, decoding, or handing it over."""
    way, part, name = _parts(found)
    if way not in found or part not in found:
        return ""
    pairs = zip(found[part], found[way], strict=True)
    share = median(
        alone.seconds / alone.samples * whole.samples / whole.seconds for alone, whole in pairs
    )
    what = name if share >= _DOMINANT else "the hand-over"
    return f"{name.capitalize()} alone takes {share:.2f} of the time of {way}: the limit is {what}"


def _parts(found: Mapping[str, Sequence[Timed]]) -> tuple[str, str, str]:
    if bare.DECODES in found:
        return ours.CPU, bare.DECODES, "decoding"
    return ours.ONE, bare.READS, "reading"


def write_all(root: Path, samples: int) -> Path:
    """Every format, of drawn photos; our own split."""
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
        samples: of the dataset; a format takes 80 kB for each.
        batch: samples of one.
        seconds: that a way is timed for in a round.
        rounds: how often.
        part: what to measure.
        disk: MB in a second that the part `steady` holds the disk to; it needs root.
        root: a folder for the formats, which is kept and used again.
        json: a file for what was found.
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
