"""NVIDIA DALI's `fn.readers.webdataset` index, version 1.2: one text file per shard.

Format: `tools/wds2idx.py` of NVIDIA/DALI. `v1.2 <samples>`, then a line per sample of
`<extension> <offset of the data> <size> <member name>`, all separated by single spaces.
"""

from collections.abc import Sequence
from itertools import groupby

from shards.index import Files, IndexFormat
from shards.tar import Member, split_name


def shard_files(name: str, members: Sequence[Member]) -> Files:
    """`<name>.idx`; none for an empty shard, which DALI refuses."""
    if not members:
        return {}
    samples = [list(group) for _, group in groupby(members, key=lambda m: split_name(m.name)[0])]
    lines = [f"v1.2 {len(samples)}", *map(_line, samples)]
    return {f"{name}.idx": ("\n".join(lines) + "\n").encode()}


def _line(sample: Sequence[Member]) -> str:
    return " ".join(f"{split_name(m.name)[1]} {m.offset} {m.size} {m.name}" for m in sample)


DALI = IndexFormat("dali", shard_files=shard_files)
