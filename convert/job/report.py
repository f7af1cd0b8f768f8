"""The lines and the closing table that report a run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from convert.job.scan import SourcePlan
from shards.manifest import EvalOverlap, Manifest, Tally, sum_tallies


def print_report(console: Console, manifests: Iterable[Manifest]) -> None:
    """Print one row per split, and below the table what was normalised."""
    finished = list(manifests)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("source", "split"):
        table.add_column(heading, no_wrap=True)
    for heading in ("items", "samples"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("rejected", "filtered"):
        table.add_column(heading, overflow="fold")
    for heading in ("shards", "in", "out"):
        table.add_column(heading, justify="right", no_wrap=True)
    for manifest in finished:
        table.add_row(manifest.source, manifest.split, *_cells(manifest))
    console.print(table)
    for line in _notes(finished):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def describe_plan(plan: SourcePlan) -> Iterator[str]:
    """Yield a line about the plan of a source, and about photos in evaluation splits."""
    if plan.refused:
        yield f"scanned {plan.source}: {plan.kind}"
        return
    items = sum(split.items for split in plan.splits.values())
    shards = sum(split.shards for split in plan.splits.values())
    splits = ", ".join(f"{name} {split.items:,}" for name, split in plan.splits.items())
    pending = f"{plan.pending:,} to convert" if plan.pending else "all done"
    yield f"scanned {plan.source}: {items:,} photos ({splits}), {shards:,} shards, {pending}"
    for name, split in plan.splits.items():
        if split.evaluated.photos:
            outcome = "dropped" if split.evaluated.excluded else "--exclude-eval-photos drops them"
            overlap = _describe_overlap(split.evaluated)
            yield f"OVERLAP {plan.source}/{name}: {overlap}; {outcome}"


def _describe_overlap(overlap: EvalOverlap) -> str:
    """The number of photos, and the evaluation splits they are in.

    >>> _describe_overlap(EvalOverlap(5, False, {"refcoco/testA": 2, "refcoco/val": 4}))
    '5 photos are in evaluation splits (4 refcoco/val, 2 refcoco/testA)'
    """
    splits = describe_counts(overlap.splits)
    return f"{overlap.photos:,} photos are in evaluation splits ({splits})"


def _cells(manifest: Manifest) -> tuple[str, ...]:
    return (
        f"{manifest.tally.items:,}",
        f"{manifest.samples:,}",
        describe_counts(manifest.tally.rejected) or "-",
        describe_counts(manifest.tally.filtered) or "-",
        f"{len(manifest.shards):,}",
        describe_bytes(manifest.tally.bytes_in),
        describe_bytes(manifest.bytes),
    )


def _notes(manifests: Iterable[Manifest]) -> Iterable[str]:
    for source, tally in by_source(manifests).items():
        if tally.notes:
            yield f"{source}: {', '.join(f'{n:,} x {note}' for note, n in tally.notes.items())}"


def by_source(manifests: Iterable[Manifest]) -> dict[str, Tally]:
    """The tallies of the splits, summed by source."""
    groups: defaultdict[str, list[Tally]] = defaultdict(list)
    for manifest in manifests:
        groups[manifest.source].append(manifest.tally)
    return {source: sum_tallies(tallies) for source, tallies in groups.items()}


def over_budget(tally: Tally, max_rejected: float) -> str:
    """Why too many photos of a source were rejected; "" if they were not too many.

    >>> over_budget(Tally(items=1000, rejected={"SpanError": 2}), 0.001)
    '2 of 1,000 photos were rejected (0.2 %), more than the 0.1 % allowed'
    """
    rejected = sum(tally.rejected.values())
    if rejected <= max_rejected * tally.items:
        return ""
    return (
        f"{rejected:,} of {tally.items:,} photos were rejected "
        f"({100 * rejected / tally.items:.3g} %), more than the {100 * max_rejected:.3g} % allowed"
    )


def describe_counts(counts: Mapping[str, int]) -> str:
    """The counts in words, the largest first.

    >>> describe_counts({"SpanError": 1, "ImageDecodeError": 1200})
    '1,200 ImageDecodeError, 1 SpanError'
    """
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered)


def describe_bytes(count: int) -> str:
    """A number of bytes with a unit.

    >>> describe_bytes(999), describe_bytes(1_234_567), describe_bytes(1_500_000_000_000)
    ('999 B', '1.2 MB', '1.5 TB')
    """
    size, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while size >= 1000 and len(units) > 1:  # noqa: PLR2004
        size /= 1000
        units.pop()
    return f"{count} B" if size == count else f"{size:.1f} {units[-1]}"
