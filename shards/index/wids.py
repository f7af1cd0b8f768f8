"""wids 0.1: `shardindex.json` of a split, for random access by the number of a sample.

Format: `wids/wids_index.py` of webdataset/webdataset before 1.0, and the wids package. It asks for
an md5 of every shard, which nothing else here needs. So this is the one format whose function is
not of its arguments alone: it reads every shard from the disk, once, a piece at a time.
"""

import hashlib
import json
from pathlib import Path

from shards.errors import CorruptShardError
from shards.index import IndexFiles, IndexFormat, Listing

_CHUNK = 1 << 22


def split_files(listing: Listing) -> IndexFiles:
    """`shardindex.json` of the shards that have samples, each of which is read once; or none.

    Raises:
        CorruptShardError: if a shard is missing. What else befell one is for `shards.verify`.
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
    found = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                found.update(chunk)
    except OSError as error:
        raise CorruptShardError(f"{path}: {error.strerror}") from error
    return found.hexdigest()


WIDS = IndexFormat("wids", ("*/*/shardindex.json",), split_files=split_files)
