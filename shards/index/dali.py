"""NVIDIA DALI's `fn.readers.webdataset` index, version 1.2: one text file per shard.

Format: `tools/wds2idx.py` of NVIDIA/DALI. `v1.2 <samples>`, then a line per sample of
`<extension> <offset of the data> <size> <member name>`, all separated by single spaces.
"""

from collections.abc import Sequence

from shards.index import FileContents, IndexFormat
from shards.tar import Entry, split_name


def shard_files(name: str, entries: Sequence[Entry]) -> FileContents:
    """`<name>.idx`; no file for an empty shard, which DALI cannot read."""
    if not entries:
        return {}
    lines = [f"v1.2 {len(entries)}", *map(_line, entries)]
    return {f"{name}.idx": ("\n".join(lines) + "\n").encode()}


def _line(entry: Entry) -> str:
    return " ".join(f"{split_name(m.name)[1]} {m.offset} {m.size} {m.name}" for m in entry.members)


DALI = IndexFormat("dali", ("*/*/*[0-9].idx",), shard_files=shard_files)
