#!/usr/bin/env python3
"""Read every shard below a folder with plain webdataset, and compare with the manifests."""
# ruff: noqa: T201 -- a command that prints

import json
import sys
from pathlib import Path

from webdataset import WebDataset

shards = Path(sys.argv[1])
manifests = sorted(shards.glob("*/*/manifest.json"))
expected = dict.fromkeys((manifest.parts[-3] for manifest in manifests), 0)
read = dict(expected)
for manifest in manifests:
    source = manifest.parts[-3]
    expected[source] += json.loads(manifest.read_bytes())["samples"]
    tars = [str(tar) for tar in sorted(manifest.parent.glob("*.tar"))]
    if tars:  # a split without photos has no shards
        read[source] += sum(1 for _ in WebDataset(tars, shardshuffle=False).decode("pil"))

print("\nSamples that plain webdataset reads, and samples in the manifests:")
for source, count in read.items():
    print(
        f"  {source:<22}{count:>6} {'=' if count == expected[source] else '!='} {expected[source]}"
    )
total = sum(read.values())
if not total or read != expected:
    sys.exit(f"{shards}: webdataset reads {total} samples, the manifests say {expected}")
print(f"  {len(read)} sources: {total} samples, equal to the manifests' count")
