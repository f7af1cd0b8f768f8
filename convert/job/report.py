"""What was made: the closing table, and what it says about the data."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from convert.job.scan import SourcePlan
from shards.manifest import EvalOverlap, Manifest, Tally, sum_tallies


def print_report(console: Console, manifests: Iterable[Manifest]) -> None:
    """One row per split, and below it what was normalised on the way."""
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
    """A line of what is to be done with a source, and one for each leak."""
    if plan.refused:
        yield f"scanned {plan.source}: {plan.kind}"
        return
    items = sum(part.items for part in plan.splits.values())
    shards = sum(part.shards for part in plan.splits.values())
    pending = sum(part.pending for part in plan.splits.values())
    splits = ", ".join(f"{split} {part.items:,}" for split, part in plan.splits.items())
    todo = f"{pending:,} to make" if pending else "all made"
    yield f"scanned {plan.source}: {items:,} photos ({splits}), {shards:,} shards, {todo}"
    for split, part in plan.splits.items():
        if part.evaluated.photos:
            yield f"LEAK {plan.source}/{split}: {_describe_overlap(part.evaluated)}"


def _describe_overlap(overlap: EvalOverlap) -> str:
    """How many photos, where they are evaluated on, and what becomes of them.

    >>> _describe_overlap(EvalOverlap(5, False, {"refcoco/testA": 2, "refcoco/val": 4}))
    '5 photos are evaluated on (4 refcoco/val, 2 refcoco/testA); --exclude-eval-photos drops them'
    """
    done = "left out" if overlap.excluded else "--exclude-eval-photos drops them"
    where = describe_counts(overlap.splits)
    return f"{overlap.photos:,} photos are evaluated on ({where}); {done}"


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
    """The splits' tallies summed up by source."""
    groups: defaultdict[str, list[Tally]] = defaultdict(list)
    for manifest in manifests:
        groups[manifest.source].append(manifest.tally)
    return {source: sum_tallies(tallies) for source, tallies in groups.items()}


def over_budget(tally: Tally, max_rejected: float) -> str:
    """Why a source lost too much, or "" if it did not.

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
    """Kinds and how often, the most frequent first.

    >>> describe_counts({"SpanError": 1, "ImageDecodeError": 1200})
    '1,200 ImageDecodeError, 1 SpanError'
    """
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered)


def describe_bytes(count: int) -> str:
    """A size for people.

    >>> describe_bytes(999), describe_bytes(1_234_567), describe_bytes(1_500_000_000_000)
    ('999 B', '1.2 MB', '1.5 TB')
    """
    size, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while size >= 1000 and len(units) > 1:  # noqa: PLR2004
        size /= 1000
        units.pop()
    return f"{count} B" if size == count else f"{size:.1f} {units[-1]}"
