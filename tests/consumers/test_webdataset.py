"""Plain webdataset reads what was written, with its own decoders and no code of this project."""

import gc
import io
import re
import subprocess
import sys
import warnings

import msgpack
import numpy as np
import pytest
from PIL import Image

from shards.layout import read_split
from shards.manifest import read_manifest
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.consumers
webdataset = pytest.importorskip("webdataset")


def splits(out):
    return sorted(path.parent for path in out.rglob("manifest.json"))


def read_all(folder):
    """Every sample of a split through webdataset's default decoders."""
    urls = sorted(str(path) for path in folder.glob("*.tar"))
    with warnings.catch_warnings():
        # webdataset leaves the closing of shards to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
        gc.collect()
    return samples


def test_same_keys_and_same_bytes(converted):
    assert splits(converted)
    for folder in splits(converted):
        ours = list(read_split(folder))
        theirs = read_all(folder)
        assert len(theirs) == read_manifest(folder).samples
        assert [sample["__key__"] for sample in theirs] == [sample.key for sample in ours]
        for sample, own in zip(theirs, ours, strict=True):
            with Image.open(io.BytesIO(own.image.data)) as image:
                np.testing.assert_array_equal(np.asarray(sample["jpg"]), np.asarray(image))
            assert sample["mp"]["captions"] == list(own.captions)
            if own.labels:
                labels = np.asarray(sample["labels.png"])[..., 0]
                with Image.open(io.BytesIO(own.labels.png)) as image:
                    np.testing.assert_array_equal(labels, np.asarray(image))


def test_annotations_are_plain_msgpack(converted):
    """pycocotools accepts the masks that msgpack decodes."""
    from pycocotools import mask as coco_mask

    urls = sorted(map(str, (converted / "grandf_ha/train").glob("*.tar")))
    seen = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for sample in webdataset.WebDataset(urls, shardshuffle=False):
            annotations = msgpack.unpackb(sample["mp"])
            for region in annotations["regions"]:
                if region["mask"] is not None:
                    pixels = coco_mask.decode(region["mask"])
                    assert list(pixels.shape) == annotations["size"]
                    seen += 1
        gc.collect()
    assert seen


def test_tar_rules_of_every_consumer(converted, shared):
    script = shared / "checks" / "check_tar_rules.py"
    done = subprocess.run(
        [sys.executable, script, converted], capture_output=True, text=True, check=True
    )
    total = sum(read_manifest(folder).samples for folder in splits(converted))
    assert done.stdout.split() == ["samples", str(total), "violations", "none"]


README_KEYS = ("refcoco-0000000983", "paco_lvis-000000", "refcoco-0000000983", "refcoco-0000000983")
"""What each block of code in the README prints, among other things."""


@pytest.mark.parametrize("number", range(len(README_KEYS)))
def test_the_code_in_the_readme_runs(converted, number):
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == len(README_KEYS)
    code = blocks[number].replace("SHARDS", str(converted))
    if "shards.load.torch" in code:
        pytest.importorskip("torch")
    code = code.replace("batch_size=32", "batch_size=2")  # the miniature has less than 32 samples
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert README_KEYS[number] in done.stdout


def test_gnu_tar_lists_it(converted):
    tar = next((converted / "ade20k/train").glob("*.tar"))
    done = subprocess.run(["tar", "-tf", tar], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    assert names
    assert len(names) % 3 == 0
