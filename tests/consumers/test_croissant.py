"""`mlcroissant` accepts every description and loads the photos and label maps."""

import io
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from shards.index.croissant import CROISSANT
from shards.index.write import write_indexes
from shards.layout import read_split

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def mlcroissant(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Read when it is imported; it would unpack the shards in the home folder.
        patch.setenv("CROISSANT_CACHE", str(tmp_path_factory.mktemp("cache")))
        module = pytest.importorskip("mlcroissant")
    logging.getLogger("absl").setLevel(logging.ERROR)
    return module


@pytest.fixture(scope="module")
def published(converted, tmp_path_factory):
    out = tmp_path_factory.mktemp("published") / "out"
    shutil.copytree(converted, out)
    for card in out.glob("*/croissant.json"):
        card.unlink()
    assert write_indexes(out, [CROISSANT], shards=True) == len(list(out.glob("*/croissant.json")))
    return out


def same_pixels(image, content):
    with Image.open(io.BytesIO(content)) as expected:
        return np.array_equal(np.asarray(image), np.asarray(expected))


def test_valid_and_loaded(published, mlcroissant):
    cards = sorted(published.glob("*/croissant.json"))
    assert len(cards) == len(list(published.glob("*/")))
    for card in cards:
        dataset = mlcroissant.Dataset(jsonld=card)
        assert not dataset.metadata.ctx.issues.errors
        sets = {records.id for records in dataset.metadata.record_sets}
        for path in card.parent.glob("*/manifest.json"):
            split = path.parent.name
            samples = {sample.key: sample for sample in read_split(path.parent)}
            photos, labels = f"{split}-jpg", f"{split}-labels.png"
            found = {
                row[f"{photos}/key"].decode(): row[f"{photos}/jpg"]
                for row in dataset.records(photos)
            }
            assert found.keys() == samples.keys()
            assert all(same_pixels(found[key], samples[key].image.data) for key in samples)
            assert (labels in sets) == any(sample.labels for sample in samples.values())
            for row in dataset.records(labels) if labels in sets else ():
                stored = samples[row[f"{labels}/key"].decode()].labels
                assert stored
                assert same_pixels(row[f"{labels}/labels.png"], stored.png)
