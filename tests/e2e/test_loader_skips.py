"""Only damaged samples are skipped, each counted once, whatever the loader makes of them."""

import shutil
from io import BytesIO
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from shards.errors import CorruptShardError, DecodeError, LoadError, SampleError
from shards.load.batches import LoaderOptions
from shards.load.loader import Loader
from shards.sample import EncodedImage, LabelMap, Size
from shards.tar import BLOCK, parse_sample
from tests.loading import make_loader, make_sample, write_split

TRUSTING = LoaderOptions(threads=0, check=False)


@pytest.fixture
def site(converted, tmp_path):
    """A split of real photos; the annotations of one sample are not msgpack."""
    folder = shutil.copytree(converted / "refcoco" / "train", tmp_path / "train")
    tar = min(folder.glob("*.tar"))
    content = bytearray(tar.read_bytes())
    content[content.index(b".mp\0") // BLOCK * BLOCK + BLOCK] = 0xC1  # msgpack has no such value
    tar.write_bytes(content)
    return folder


def keys(sample, _seed, _item_index):
    return sample.key


@pytest.mark.parametrize("output", [{"decode": "cpu"}, {"example": keys}])
@pytest.mark.parametrize("check", [True, False])
def test_annotations_that_are_not_msgpack(site, output, check):
    options = LoaderOptions(threads=0, check=check, skip=1)
    loader = make_loader(site, 4, options=options, tail="pad", **output)
    batches = [batch if isinstance(batch, list) else batch.samples for batch in loader]
    assert loader.skipped == 1
    assert all(3 <= len(batch) <= 4 for batch in batches)
    with pytest.raises(CorruptShardError if check else SampleError):
        list(
            make_loader(
                site, 4, options=LoaderOptions(threads=0, check=check), tail="pad", **output
            )
        )


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [(0, 0xFF, "with a name"), (130, ord("x"), "with a size"), (124, ord("7"), "with a size"),
     (124, ord("-"), "with a size")],
)  # fmt: skip
def test_headers_that_are_damaged(tmp_path, offset, value, message):
    folder = write_split(tmp_path / "small", [3])
    (tar,) = folder.glob("*.tar")
    content = bytearray(tar.read_bytes())
    content[offset] = value
    tar.write_bytes(content)
    (batch,) = make_loader(folder, 3, shuffle=False, options=TRUSTING)
    with pytest.raises(CorruptShardError, match=f"byte 0 of a sample: expected .* {message}"):
        batch[0].members()
    loader = make_loader(
        folder,
        3,
        example=keys,
        options=LoaderOptions(threads=0, check=False, skip=1),
    )
    assert [len(batch) for batch in loader] == [2]


def test_a_member_that_leaves_its_sample():
    header = bytearray(BLOCK)
    header[:5] = b"a.jpg"
    header[124:135] = b"00000001001"
    with pytest.raises(CorruptShardError, match="byte 0 of a sample"):
        parse_sample(memoryview(bytes(header) + bytes(BLOCK)))
    header[124:135] = b"00000001000"
    assert parse_sample(memoryview(bytes(header) + bytes(BLOCK))) == ("a", {"jpg": bytes(BLOCK)})


def test_an_error_of_the_example_function_is_not_damage(tmp_path):
    def wrong(_sample, _seed, _item_index):
        raise LoadError("the tokenizer is another")

    folder = write_split(tmp_path / "small", [6])
    loader = make_loader(folder, 2, example=wrong, options=LoaderOptions(threads=0, skip=100))
    with pytest.raises(LoadError, match="the tokenizer is another"):
        next(iter(loader))
    assert not loader.skipped


@pytest.mark.parametrize("threads", [0, 2])
def test_a_sample_that_is_skipped_again_counts_once(tmp_path, threads):
    folder = write_split(tmp_path / "small", [8, 8])
    (min(folder.glob("*.tar"))).unlink()
    loader = make_loader(folder, 4, options=LoaderOptions(threads=threads, skip=8))
    for _ in range(20):
        next(iter(loader))
    assert loader.skipped <= 8


LABEL_SIZES = [(1, 64), (1, 1), (20, 20)]
"""(width, height); as arrays, the first two can be broadcast to a photo of 64 x 64."""


def encode(image, kind):
    image.save(stored := BytesIO(), kind)
    return stored.getvalue()


@pytest.fixture(params=LABEL_SIZES, ids=str)
def odd_labels(request, tmp_path):
    """A split of four samples of 64 x 64; the label map of one has another size."""

    def make(number):
        photo = Image.effect_noise((64, 64), 10.0 * (number + 1)).convert("RGB")
        labels = Image.new("L", request.param if number == 2 else (64, 64), number)
        return replace(
            make_sample(number),
            image=EncodedImage(encode(photo, "JPEG"), "jpg", Size(64, 64)),
            original_size=Size(64, 64),
            labels=LabelMap(encode(labels, "PNG"), "ade20k", (number,)),
        )

    return write_split(tmp_path / "labels", [2, 2], make=make)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_label_map_of_another_size_than_its_photo_is_damage(odd_labels, threads):
    arguments: dict[str, Any] = {"labels": True, "shuffle": False, "rank": 0, "world_size": 1}
    loader = Loader(odd_labels, 2, options=LoaderOptions(threads=threads), **arguments)
    with pytest.raises(
        DecodeError, match=r"^small-000002\.labels\.png: is .*annotations say 64x64"
    ):
        list(loader)
    loader = Loader(odd_labels, 2, options=LoaderOptions(threads=threads, skip=1), **arguments)
    for _ in range(2):
        batches = [[item.sample.key for item in batch.samples] for batch in loader]
        assert batches == [["small-000000", "small-000001"], ["small-000003"]]
    assert loader.skipped == 1
    without = Loader(odd_labels, 4, options=LoaderOptions(threads=threads), rank=0, world_size=1)
    assert [item.labels for batch in without for item in batch.samples] == [None] * 4
