"""wids 0.1: `shardindex.json` of a split, for random access by sample number.

Format: `wids/wids_index.py` of webdataset/webdataset before 1.0, and the wids package. It requires
an md5 of every shard, which no other index has. So this is the only format that reads files: every
shard once, in chunks.
"""

import hashlib
import json
from pathlib import Path

from shards.errors import CorruptShardError
from shards.index import FileContents, IndexFormat, Listing

_CHUNK = 1 << 22


def split_files(listing: Listing) -> FileContents:
    """`shardindex.json` of the shards with samples; no file if there are none. Reads every shard.

    Raises:
        CorruptShardError: if a shard cannot be read. `shards.verify` finds other damage.
    """
    if not listing.manifest.samples:
        return {}
    shards = [
        {
            "url": f"{info.name}.tar",
            "md5sum": _md5(listing.folder / f"{info.name}.tar"),
            "nsamples": info.samples,
            "filesize": info.bytes,
        }
        for info in sorted(listing.manifest.shards, key=lambda info: info.name)
        if info.samples
    ]
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "shardlist": shards,
        "name": f"{listing.manifest.source}-{listing.manifest.split}",
    }
    return {"shardindex.json": json.dumps(index, indent=2).encode()}


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise CorruptShardError(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


WIDS = IndexFormat("wids", ("*/*/shardindex.json",), split_files=split_files)
