"""GLaMM's training examples from shards, against its own way from the downloaded files.

`python -m bench.glamm [--images N] [FOLDER...]`. Draws a miniature of all 22 sources in upstream's
sizes and converts it. Both ways return the same ten values for the same photos, with the same
Pillow. The times are per example, with a warm page cache. Folders of real photos are measured as
well, with three masks each.
"""

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from bench.harness.command import Claim, Section, run
from bench.harness.glamm_photos import photo_sections
from bench.harness.measure import say
from bench.peers.glamm import ReferenceReader, clip_at_its_least, clip_of_transformers
from bench.peers.glamm_items import LISTINGS, ReferenceItem, list_items
from bench.peers.glamm_loader import collate, halve, one_thread, open_batches
from convert.demo import draw
from shards.glamm import EXPANDS, SOURCES, Settings, examples_for
from shards.glamm.normalisation import COMPILED
from shards.glamm.sources import FAMILIES
from shards.load.sampling.mix import Pattern
from shards.load.torch import LoaderOptions, Mixture, ShardLoader

OURS, HALF = "ours", "ours, in bf16"
PEER, LEAN = "GLaMM's own way", "GLaMM's own way, without transformers"
THREADS, WORKERS = "ours, 2 threads", "GLaMM's own way, 2 workers"
ALONE = "GLaMM's own way, no worker"
GOAL = 4.0
CLAIMS = (Claim(OURS, PEER), Claim(OURS, LEAN), Claim(HALF, PEER))
GROUPS: Mapping[str, Sequence[str]] = {
    "grounded captions": ("openpsg_gcg", "refcocog_gcg", "flickr_gcg"),
    "expressions": ("refcoco", "refcoco_plus", "refcocog", "refclef"),
    "label maps": ("ade20k", "coco_stuff"),
    "objects and parts": ("paco_lvis", "pascal_part"),
    "boxes": tuple(name for name, rule in SOURCES.items() if FAMILIES[rule.task] == "reg"),
    "captions and conversations": ("coco_captions", "llava_instruct"),
    "SAM's photos, 3 MP": ("grandf_ha", "grand_referring", "grand_caption"),
    "label maps of street photos, 12 MP": ("mapillary",),
}
_EXAMPLES, _BATCHES, _BATCH = 200, 40, 4
"""Examples of the fine-tuning mixture; batches of a complete loader, and their size."""


def main() -> None:
    """Measure."""
    libraries = ["torch", "transformers", "pillow-simd", "pillow", "simplejpeg", "numpy"]
    run("glamm", sections, [*libraries, "opencv-python-headless", "pycocotools"], arguments)


def arguments(parser: ArgumentParser) -> None:
    """Add this benchmark's own options."""
    parser.add_argument("--images", type=int, default=8, help="photos to draw of each source")
    parser.add_argument("photos", type=Path, nargs="*", help="folders of real photos")


def sections(typed: Namespace) -> Generator[Section]:
    """Examples with one thread, then batches with two."""
    one_thread()
    say(f"the normalisation kernel is {'compiled' if COMPILED else 'numpy'}", "")
    with TemporaryDirectory() as folder:
        root, shards = Path(folder, "data"), Path(folder, "shards")
        for source in LISTINGS:
            draw(root, source, images=typed.images, photo_size="full")
        _convert(root, shards)
        items = {source: list_items(root, source) for source in LISTINGS}
        claims = [Claim(OURS, PEER, GOAL), *CLAIMS[1:]]
        yield _equal(
            "all 22 sources, as many examples of each", tuple(LISTINGS), shards, items, claims
        )
        yield _fine_tuning(shards, items)
        for title, group in GROUPS.items():
            yield _equal(title, group, shards, items, CLAIMS)
        yield _batches(shards, items)
    if typed.photos:
        yield from photo_sections(typed.photos, (OURS, HALF, PEER, LEAN), CLAIMS)


def _convert(root: Path, shards: Path) -> None:
    """Convert with the command, in a process of its own; its report is not printed."""
    options = ["-m", "convert.run", "--all", "--workers", "0"]
    folders = ["--root", str(root), "--out", str(shards)]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *options, *folders],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"converting the miniature failed:\n{done.stderr[-2000:]}")


def _equal(
    title: str,
    sources: Sequence[str],
    shards: Path,
    items: Mapping[str, Sequence[ReferenceItem]],
    claims: Sequence[Claim],
) -> Section:
    """Equally many examples of each source: at least 8 of each and 12 in all."""
    count = max(8, 12 // len(sources))
    members = {name: {"weight": 1, "expand": EXPANDS[name] or ""} for name in sources}
    mixture = Mixture.of({"mix": members, "epoch_steps": count * len(sources)}, shards)
    sequence = chain.from_iterable(islice(cycle(items[name]), count) for name in sources)
    return _section(title, mixture, list(sequence), claims)


def _fine_tuning(shards: Path, items: Mapping[str, Sequence[ReferenceItem]]) -> Section:
    """Each source with its share of the fine-tuning mixture."""
    mixture = replace(Mixture.read("finetune", shards), epoch_steps=_EXAMPLES)
    sequence = list(chain.from_iterable(_reference_batches(mixture, items, _EXAMPLES, 1)))
    title = "in the shares of fine-tuning (configs/mixes/finetune.yaml)"
    return _section(title, mixture, sequence, CLAIMS)


def _reference_batches(
    mixture: Mixture, items: Mapping[str, Sequence[ReferenceItem]], batches: int, size: int
) -> Iterator[list[ReferenceItem]]:
    """Batches of the reference's items in the mixture's shares, each of one group."""
    datasets = [cycle(items[member.name.rpartition("/")[2]]) for member in mixture.members]
    groups = []
    for number in range(len(mixture.groups)):
        own = [n for n, member in enumerate(mixture.members) if member.group == number]
        turns = Pattern([mixture.members[n].share for n in own]).turns
        groups.append(cycle([own[turn] for turn in turns]))
    for group in islice(cycle(Pattern(mixture.groups).turns), batches):
        yield [next(datasets[next(groups[group])]) for _ in range(size)]


def _section(
    title: str, mixture: Mixture, sequence: Sequence[ReferenceItem], claims: Sequence[Claim]
) -> Section:
    ways: dict[str, Callable[[], object]] = {
        OURS: _run_ours(mixture, Settings()),
        HALF: _run_ours(mixture, Settings(precision="bf16")),
        PEER: partial(_run_reference, ReferenceReader(clip_of_transformers(), Random(0)), sequence),  # noqa: S311 - not cryptographic
        LEAN: partial(_run_reference, ReferenceReader(clip_at_its_least, Random(0)), sequence),  # noqa: S311 - not cryptographic
    }
    return Section(f"{title}: an example, one thread", ways, claims, len(sequence))


def _run_ours(mixture: Mixture, settings: Settings) -> Callable[[], None]:
    loader = ShardLoader(
        mixture, 1, example=examples_for(mixture, settings), rank=0, world_size=1,
        options=LoaderOptions(threads=0),
    )  # fmt: skip

    def run_through() -> None:
        for _ in loader.run(0, range(len(loader))):
            pass

    return run_through


def _run_reference(reader: ReferenceReader, sequence: Sequence[ReferenceItem]) -> None:
    for item in sequence:
        reader(item)


def _batches(shards: Path, items: Mapping[str, Sequence[ReferenceItem]]) -> Section:
    """Complete loaders on two cores, in the shares of fine-tuning, with batches in bf16."""
    mixture = replace(Mixture.read("finetune", shards), epoch_steps=_BATCHES)
    ours = ShardLoader(
        mixture, _BATCH, example=examples_for(mixture, Settings(precision="bf16")),
        collate=collate, rank=0, world_size=1, options=LoaderOptions(threads=2),
    )  # fmt: skip
    reader = ReferenceReader(clip_of_transformers(), Random(0))  # noqa: S311 - not cryptographic
    batches = list(_reference_batches(mixture, items, _BATCHES, _BATCH))
    theirs = {workers: open_batches(reader, batches, workers) for workers in (0, 2)}

    def run_through(batches: Any) -> None:
        for batch in batches:
            halve(batch)

    ways: dict[str, Callable[[], object]] = {
        THREADS: lambda: run_through(ours.run(0, range(_BATCHES))),
        WORKERS: partial(run_through, theirs[2]),
        ALONE: partial(run_through, theirs[0]),
    }
    title = "whole loaders, bf16, in the shares of fine-tuning: an example's share of a batch of 4"
    claims = [Claim(THREADS, WORKERS), Claim(THREADS, ALONE)]
    return Section(title, ways, claims, _BATCHES * _BATCH)


if __name__ == "__main__":
    main()
