#!/usr/bin/env python3
"""Read every shard under a folder with plain webdataset; fail unless the manifests agree."""
# ruff: noqa: T201 -- printing is what it does

import json
import sys
from pathlib import Path

from webdataset import WebDataset

shards = Path(sys.argv[1])
manifests = sorted(shards.glob("*/*/manifest.json"))
promised = dict.fromkeys((manifest.parts[-3] for manifest in manifests), 0)
read = dict(promised)
for manifest in manifests:
    source = manifest.parts[-3]
    promised[source] += json.loads(manifest.read_bytes())["samples"]
    tars = [str(tar) for tar in sorted(manifest.parent.glob("*.tar"))]
    if tars:  # a split without a photo has no shard
        read[source] += sum(1 for _ in WebDataset(tars, shardshuffle=False).decode("pil"))

print("\nSamples that plain webdataset reads, and what the manifests say:")
for source, count in read.items():
    print(
        f"  {source:<22}{count:>6} {'=' if count == promised[source] else '!='} {promised[source]}"
    )
total = sum(read.values())
if not total or read != promised:
    sys.exit(f"{shards}: webdataset reads {total} samples, the manifests say {promised}")
print(f"  {len(read)} sources: {total} samples, equal to the manifests' count")
