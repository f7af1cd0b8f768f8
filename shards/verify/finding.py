"""A finding: what is wrong, where, and what to do."""

import shlex
from pathlib import Path

import msgspec

MOVE_FILE = "move it elsewhere"
FIX_OTHERS = "fix the other findings, then run shards.verify again"
REWRITE_SPLIT = (
    "delete manifest.json beside it, if it exists, and run the same python -m convert.run again: "
    "it writes the records of the split again"
)


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it was written.

    Attributes:
        file: path relative to the output.
        remedy: what to do.
        offset: byte in the file, if known.

    >>> Finding("refcoco/train/samples.arrow", "is missing", remedy=REWRITE_SPLIT).file
    'refcoco/train/samples.arrow'
    """

    file: str
    problem: str
    remedy: str
    offset: int | None = None


def rewrite_shard(name: str) -> str:
    """The remedy for a shard and all files written with it."""
    return (
        f"delete {name}.json beside it, if it exists, and run the same python -m convert.run "
        f"again: it writes the shard again"
    )


def rewrite_index(out: Path, format_: str) -> str:
    """The remedy for a file of an index format."""
    return f"python -m shards.index {shlex.quote(str(out))} --format {format_}"
