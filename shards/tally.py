"""What became of the items of a shard, a split or a whole job."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec


class Tally(msgspec.Struct, frozen=True):
    """What became of the items: all of it decided by the data, none of it by the machine.

    Attributes:
        items: how many were planned; samples, rejected and filtered items make it up.
        rejected: kind of error -> items; the rows are in `<shard>.rejects.jsonl`.
        notes: what was normalised or left out -> how often.
        bytes_in: of the photos and label maps read.
        filtered: name of a filter -> items that it left out whole; rows as of the rejected.
    """

    items: int = 0
    rejected: Mapping[str, int] = {}
    notes: Mapping[str, int] = {}
    bytes_in: int = 0
    filtered: Mapping[str, int] = {}

    @property
    def lost(self) -> int:
        """Items that became no sample."""
        return sum(self.rejected.values()) + sum(self.filtered.values())


def add(tallies: Iterable[Tally]) -> Tally:
    """Sum tallies up; kinds of errors and notes in alphabetical order."""
    items = bytes_in = 0
    rejected: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    filtered: Counter[str] = Counter()
    for tally in tallies:
        items += tally.items
        bytes_in += tally.bytes_in
        rejected.update(tally.rejected)
        notes.update(tally.notes)
        filtered.update(tally.filtered)
    counts = (dict(sorted(counter.items())) for counter in (rejected, notes, filtered))
    by_error, by_note, by_filter = counts
    return Tally(items, by_error, by_note, bytes_in, by_filter)
