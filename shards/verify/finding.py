"""What is wrong, where, and what to do."""

import shlex
from pathlib import Path

import msgspec

MOVE = "move it elsewhere"
OTHERS = "do what is said of the others, then look again"
SPLIT = (
    "delete manifest.json beside it, if it is there, and run the same python -m convert.run again: "
    "it makes the split's records anew"
)


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written.

    Attributes:
        file: path, relative to the output.
        remedy: what to do.
        offset: byte in the file, where that is known.
    """

    file: str
    problem: str
    remedy: str
    offset: int | None = None


def shard_again(name: str) -> str:
    """The remedy for a shard, and for all beside it that was written with it."""
    return (
        f"delete {name}.json beside it, if it is there, and run the same python -m convert.run "
        f"again: it makes the shard anew"
    )


def index_again(out: Path, format_: str) -> str:
    """The remedy for a file of an index format."""
    return f"python -m shards.index {shlex.quote(str(out))} --format {format_}"
