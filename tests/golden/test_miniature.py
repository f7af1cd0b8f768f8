"""The miniature's samples, compared with a reviewed copy.

GLAMM_UPDATE_GOLDEN=1 updates the copy; review the difference before you commit it.
"""

import json
import os
from pathlib import Path

import numpy as np

from shards.layout import read_split
from shards.pixels import decode_mask

GOLDEN = Path(__file__).with_name("miniature.json")


def describe(sample):
    return {
        "key": sample.key,
        "size": [sample.image.size.height, sample.image.size.width],
        "original_size": [sample.original_size.height, sample.original_size.width],
        "file": sample.file,
        "ids": {name: list(i) if isinstance(i, tuple) else i for name, i in sample.ids.items()},
        "captions": list(sample.captions),
        "conversations": [[[t.speaker, t.text] for t in c] for c in sample.conversations],
        "regions": [describe_region(region) for region in sample.regions],
        "label_table": sample.labels.table if sample.labels else None,
    }


def describe_region(region):
    box = region.box
    area = int(np.count_nonzero(decode_mask(region.mask))) if region.mask else None
    return {
        "phrases": list(region.phrases),
        "box": [round(n, 2) for n in (box.x0, box.y0, box.x1, box.y1)] if box else None,
        "mask_area": area,
        "spans": [[span.caption, span.start, span.stop] for span in region.spans],
        "category": region.category,
        "attributes": list(region.attributes),
        "parent": region.parent,
        "ids": {name: list(i) if isinstance(i, tuple) else i for name, i in region.ids.items()},
    }


def test_the_first_sample_of_every_split(converted):
    folders = sorted(path.parent for path in converted.rglob("manifest.json"))
    found = {
        folder.relative_to(converted).as_posix(): describe(next(iter(read_split(folder))))
        for folder in folders
    }
    if os.environ.get("GLAMM_UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    assert found == json.loads(GOLDEN.read_text())
