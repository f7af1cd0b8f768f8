"""A sample is read as it was written, by our reader and by others."""

import contextlib
import tarfile
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.errors import SampleError
from shards.index.dali import DALI
from shards.layout import Annotations, check_sample, from_members, read_shard, to_members
from shards.manifest import Tally
from shards.pixels import decode_mask
from shards.sample import EncodedImage, Region, Rle, Size, Span
from shards.tar import BLOCK, read_members
from shards.writer import ShardWriter
from tests.property.strategies import coco_decode, samples
from tests.unit.shards.test_sample import make

FIELDS = [
    "size", "original_size", "file", "ids", "captions", "regions", "conversations", "label_table",
    "label_classes",
]  # fmt: skip
REGION_FIELDS = ["phrases", "box", "mask", "spans", "category", "attributes", "parent", "ids"]


@settings(max_examples=120)
@given(samples())
def test_members_and_back(sample) -> None:
    members = to_members(check_sample(sample))
    extensions = [extension for extension, _ in members]
    assert extensions == ["jpg", *["labels.png"] * (sample.labels is not None), "mp"]
    assert from_members(sample.key, dict(members)) == sample


@settings(max_examples=80)
@given(samples())
def test_plain_msgpack_reads_what_is_documented(sample) -> None:
    found = msgpack.unpackb(dict(to_members(sample))["mp"])
    assert list(found) == FIELDS
    assert found["size"] == [sample.image.size.height, sample.image.size.width]
    assert found["captions"] == list(sample.captions)
    assert found["label_table"] == (sample.labels.table if sample.labels else None)
    assert found["label_classes"] == (list(sample.labels.classes) if sample.labels else [])
    assert [[list(turn.items()) for turn in talk] for talk in found["conversations"]] == [
        [[("speaker", turn.speaker), ("text", turn.text)] for turn in talk]
        for talk in sample.conversations
    ]
    for row, region in zip(found["regions"], sample.regions, strict=True):
        assert list(row) == REGION_FIELDS
        assert (row["parent"], row["attributes"]) == (region.parent, list(region.attributes))
        assert row["spans"] == [
            {"caption": s.caption, "start": s.start, "stop": s.stop} for s in region.spans
        ]
        if region.box is None:
            assert row["box"] is None
        else:
            assert row["box"] == [region.box.x0, region.box.y0, region.box.x1, region.box.y1]
            assert all(type(number) is float for number in row["box"])
        if region.mask is None:
            assert row["mask"] is None
        else:
            assert list(row["mask"]) == ["size", "counts"]
            size, counts = row["mask"]["size"], row["mask"]["counts"]
            assert type(counts) is bytes
            assert np.array_equal(coco_decode(Rle(Size(*size), counts)), decode_mask(region.mask))


@given(samples(), st.data())
def test_damaged_annotations_are_errors(sample, data) -> None:
    members = dict(to_members(sample))
    whole = members["mp"]
    members["mp"] = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(SampleError, match=sample.key):
        from_members(sample.key, members)
    flipped = bytearray(whole)
    flipped[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    members["mp"] = bytes(flipped)
    with contextlib.suppress(SampleError):  # it may still be a sample, but nothing else is raised
        from_members(sample.key, members)


@settings(max_examples=50)
@given(st.lists(samples(), max_size=4, unique_by=lambda sample: sample.key))
def test_shards_and_back(tmp_path_factory, batch) -> None:
    folder = tmp_path_factory.mktemp("shard")
    with ShardWriter(folder, "a-b-000000") as shard:
        for sample in batch:
            shard.add(sample)
        info = shard.commit(task="t", tally=Tally(len(batch)), indexes=[DALI])
    path = folder / "a-b-000000.tar"
    content = path.read_bytes()
    assert info.bytes == len(content)
    assert list(read_shard(path)) == batch
    with tarfile.open(path) as tar:
        theirs = [(m.name, m.offset_data, m.size, m.offset_data - m.offset) for m in tar]
    ours = [(m.name, m.offset, m.size, BLOCK) for m, _ in read_members(path)]
    assert ours == theirs
    _expect_index(folder / "a-b-000000.idx", content, batch)


def _expect_index(path, content, batch) -> None:
    if not batch:
        assert not path.exists()  # DALI refuses an empty one
        return
    head, *lines = path.read_text("ascii").splitlines()
    assert head == f"v1.2 {len(batch)}"
    for line, sample in zip(lines, batch, strict=True):
        fields = line.split(" ")
        expected = to_members(sample)
        assert len(fields) == 4 * len(expected)
        for number, (extension, data) in enumerate(expected):
            found, offset, size, name = fields[4 * number : 4 * number + 4]
            assert (found, name) == (extension, f"{sample.key}.{extension}")
            assert int(offset) % BLOCK == 0
            assert content[int(offset) : int(offset) + int(size)] == data


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"jpg": None}, "expected an image"),
        ({"mp": None}, "expected an image"),
        ({"mp": b""}, "truncated"),
        ({"mp": b"\xc0"}, "Expected `object`"),
        ({"mp": b"\x81\xa4file\xa2\xff\xff"}, "utf-8"),
        ({"mp": b"\x81\xa1x" + b"\x91" * 100_000}, "recursion"),
    ],
)
def test_invalid_samples(change, expected) -> None:
    members = {"jpg": b"", "mp": _annotations()}
    from_members("k", members)
    changed = {e: c for e, c in {**members, **change}.items() if c is not None}
    with pytest.raises(SampleError, match=f"(?i)^k: .*{expected}"):
        from_members("k", changed)


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_may_be_missing(field) -> None:
    value = msgpack.unpackb(_annotations())
    del value[field]
    with pytest.raises(SampleError, match=f"`{field}`"):
        from_members("k", {"jpg": b"", "mp": msgpack.packb(value)})


def test_a_field_of_a_later_version_is_ignored() -> None:
    value = {**msgpack.unpackb(_annotations()), "later": [1, {"two": 3}]}
    assert from_members("k", {"jpg": b"", "mp": msgpack.packb(value)}).file == "f"


def test_a_label_table_needs_its_labels() -> None:
    with pytest.raises(SampleError, match=r"no \.labels\.png"):
        from_members("k", {"jpg": b"", "mp": _annotations(label_table="ade20k")})


def _annotations(*, label_table: str | None = None) -> bytes:
    value: dict[str, Any] = {
        "size": [1, 1],
        "original_size": [1, 1],
        "file": "f",
        "ids": {},
        "captions": ["é🙂"],
    }
    value |= {"regions": [], "conversations": [], "label_table": label_table}
    value |= {"label_classes": []}
    assert list(value) == FIELDS == list(Annotations.__struct_fields__)
    packed: bytes = msgpack.packb(value)
    return packed


def test_spans_count_code_points() -> None:
    sample = make(captions=("é🙂x",), regions=(Region(spans=(Span(0, 1, 3),)),))
    span = from_members("k", dict(to_members(check_sample(sample)))).regions[0].spans[0]
    assert sample.captions[0][span.start : span.stop] == "🙂x"


def test_an_image_of_an_unknown_extension_is_not_written() -> None:
    with pytest.raises(SampleError, match=r"\.gif"):
        to_members(make(image=EncodedImage(b"", "gif", Size(3, 5))))
