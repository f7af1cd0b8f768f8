"""wids 0.1: `shardindex.json` of a split, for random access by the number of a sample.

Format: `wids/wids_index.py` of webdataset/webdataset before 1.0, and the wids package. It asks for
an md5 of every shard, which nothing else here needs: these files alone are read from the disk.
"""

import hashlib
import json

from shards.index import Files, IndexFormat, Listing

_CHUNK = 1 << 22


def split_files(listing: Listing) -> Files:
    """`shardindex.json`; reads every shard once."""
    shards = [
        {
            "url": f"{info.name}.tar",
            "md5sum": _md5(listing, info.name),
            "nsamples": info.samples,
            "filesize": info.bytes,
        }
        for info in listing.manifest.shards
        if info.samples
    ]
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "shardlist": shards,
        "name": f"{listing.manifest.source}-{listing.manifest.split}",
    }
    return {"shardindex.json": json.dumps(index, indent=2).encode()}


def _md5(listing: Listing, name: str) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with (listing.folder / f"{name}.tar").open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


WIDS = IndexFormat("wids", split_files=split_files)
