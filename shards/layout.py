"""Which part of a sample is which member of the tar; both directions, side by side.

docs/format.md is the contract; this module is its only implementation.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from shards.errors import SampleError
from shards.manifest import read_manifest
from shards.sample import EncodedImage, Ids, LabelMap, Region, Sample, Size, Turn
from shards.tar import read_samples

ANNOTATIONS = "mp"
LABELS = "labels.png"
IMAGES = ("jpg", "png", "webp")
"""Extensions an image may have. This project writes `jpg`; readers take the others too."""


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """The `.mp` member: a map with exactly these fields, each always present."""

    size: Size
    original_size: Size
    file: str
    ids: Ids
    captions: tuple[str, ...]
    regions: tuple[Region, ...]
    conversations: tuple[tuple[Turn, ...], ...]
    label_table: str | None
    label_classes: tuple[int, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Annotations)


def to_members(sample: Sample) -> list[tuple[str, bytes]]:
    """(extension, content) in stored order: the image first, so that a stream can decode early.

    Raises:
        SampleError: if the image is of a kind that `from_members` does not take.
    """
    if sample.image.extension not in IMAGES:
        raise SampleError(f"{sample.key}: image is .{sample.image.extension}, not one of {IMAGES}")
    annotations = Annotations(
        size=sample.image.size,
        original_size=sample.original_size,
        file=sample.file,
        ids=sample.ids,
        captions=sample.captions,
        regions=sample.regions,
        conversations=sample.conversations,
        label_table=sample.labels.table if sample.labels else None,
        label_classes=sample.labels.classes if sample.labels else (),
    )
    members = [(sample.image.extension, sample.image.data)]
    if sample.labels is not None:
        members.append((LABELS, sample.labels.png))
    members.append((ANNOTATIONS, _encoder.encode(annotations)))
    return members


def from_members(key: str, members: Mapping[str, bytes]) -> Sample:
    """Rebuild a sample from its members by extension: the inverse of `to_members`.

    Raises:
        SampleError: if a member is missing or its annotations are not of the format.
    """
    extension = next((e for e in IMAGES if e in members), None)
    if extension is None or ANNOTATIONS not in members:
        raise SampleError(
            f"{key}: expected an image ({', '.join(IMAGES)}) and .{ANNOTATIONS}, "
            f"found {sorted(members)}"
        )
    annotations = decode_annotations(key, members[ANNOTATIONS])
    labels = None
    if annotations.label_table is not None:
        if LABELS not in members:
            raise SampleError(f"{key}: label table {annotations.label_table}, but no .{LABELS}")
        labels = LabelMap(members[LABELS], annotations.label_table, annotations.label_classes)
    return Sample(
        key=key,
        image=EncodedImage(members[extension], extension, annotations.size),
        original_size=annotations.original_size,
        file=annotations.file,
        ids=annotations.ids,
        captions=annotations.captions,
        regions=annotations.regions,
        conversations=annotations.conversations,
        labels=labels,
    )


def decode_annotations(key: str, content: bytes) -> Annotations:
    """Parse a `.mp` member.

    Raises:
        SampleError: naming the key and the field that is not of the format.
    """
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SampleError(f"{key}: .{ANNOTATIONS} is not of the format: {error}") from error


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of one shard in stored order.

    Raises:
        CorruptShardError: if the tar is cut short or not a tar.
        SampleError: if a sample is not of the format.
    """
    for key, members in read_samples(path):
        yield from_members(key, members)


def read_split(folder: Path) -> Iterator[Sample]:
    """Yield the samples of a split, shard by shard, as its manifest lists them.

    Raises:
        CorruptShardError: if there is no manifest, or a shard is damaged or missing.
        SampleError: if a sample is not of the format.
    """
    for info in read_manifest(folder).shards:
        yield from read_shard(folder / f"{info.name}.tar")
