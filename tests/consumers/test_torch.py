"""torch's DataLoader with workers, over plain webdataset and its default decoders."""

import io

import msgpack
import numpy as np
import pytest
from PIL import Image

from shards.tar import read_members, split_name

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
webdataset = pytest.importorskip("webdataset")
data = pytest.importorskip("torch.utils.data")


def pixels(image):
    values = np.asarray(image.convert("RGB"))
    return values.shape, values.tobytes()


def decoded(extension, content):
    """What webdataset's own decoders should make of a member."""
    if extension == "mp":
        return msgpack.unpackb(content)
    with Image.open(io.BytesIO(content)) as image:
        return pixels(image)


@pytest.mark.parametrize("workers", [0, 2])
def test_same_keys_and_same_values(converted, workers):
    tars = sorted(map(str, converted.rglob("*.tar")))
    dataset = webdataset.WebDataset(tars, shardshuffle=False).decode("pil")
    found = {}
    for sample in data.DataLoader(dataset, batch_size=None, num_workers=workers):
        assert sample["__key__"] not in found
        found[sample["__key__"]] = {
            name: value if name == "mp" else pixels(value)
            for name, value in sample.items()
            if not name.startswith("__")
        }
    expected: dict[str, dict[str, object]] = {}
    for tar in converted.rglob("*.tar"):
        for member, content in read_members(tar):
            key, extension = split_name(member.name)
            expected.setdefault(key, {})[extension] = decoded(extension, content)
    assert found == expected
