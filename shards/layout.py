"""A sample and its members in the tar: encode, decode, check.

docs/format.md is the specification; this module is its only implementation.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from shards.errors import SampleError
from shards.manifest import read_manifest
from shards.sample import (
    KEY_PATTERN,
    MAX_KEY,
    Box,
    EncodedImage,
    Ids,
    LabelMap,
    Region,
    Sample,
    Size,
    Span,
    Turn,
)
from shards.tar import read_samples

ANNOTATIONS = "mp"
LABELS = "labels.png"
IMAGES = ("jpg", "png", "webp")
"""Extensions of an image. This project writes `jpg`; readers accept the others, too."""


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """The `.mp` member: a map with exactly these fields, all of them present."""

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
    """(extension, content) in stored order: the image first, so that a stream decodes it early.

    Raises:
        SampleError: if the image has an extension that `from_members` does not accept.
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
    """The sample of these members, by extension: the inverse of `to_members`.

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


def check_sample(sample: Sample) -> Sample:
    """Return the sample, unchanged, if it follows the rules of docs/format.md.

    Raises:
        SampleError: naming the sample and the first rule that it breaks.
    """
    if not KEY_PATTERN.fullmatch(sample.key) or len(sample.key) > MAX_KEY:
        raise SampleError(
            f"{sample.key!r}: a key matches {KEY_PATTERN.pattern!r} and has at most {MAX_KEY} bytes"
        )
    for number, region in enumerate(sample.regions):
        where = f"{sample.key}: region {number}"
        if region.mask is not None and region.mask.size != sample.image.size:
            raise SampleError(f"{where}: mask is {region.mask.size}, image {sample.image.size}")
        if region.box is not None and not _inside(region.box, sample.image.size):
            raise SampleError(
                f"{where}: {region.box} is not inside the image of {sample.image.size}"
            )
        if region.parent is not None and not 0 <= region.parent < len(sample.regions):
            raise SampleError(
                f"{where}: its parent {region.parent} is not one of {len(sample.regions)} regions"
            )
        for span in region.spans:
            _check_span(span, sample.captions, where)
    return sample


def _inside(box: Box, size: Size) -> bool:
    return 0 <= box.x0 <= box.x1 <= size.width and 0 <= box.y0 <= box.y1 <= size.height


def _check_span(span: Span, captions: tuple[str, ...], where: str) -> None:
    if not 0 <= span.caption < len(captions):
        raise SampleError(f"{where}: {span} is not in one of {len(captions)} captions")
    length = len(captions[span.caption])
    if not 0 <= span.start < span.stop <= length:
        raise SampleError(f"{where}: {span} is not inside its caption of {length} characters")


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of one shard in stored order.

    Raises:
        CorruptShardError: if the file is missing, cut short or not a tar.
        SampleError: if a sample is not of the format.

    >>> from tempfile import TemporaryDirectory
    >>> from shards import ShardWriter, Tally
    >>> size = Size(4, 4)
    >>> with TemporaryDirectory() as folder:
    ...     with ShardWriter(Path(folder), "demo-train-000000") as writer:
    ...         writer.add(Sample("demo-1", EncodedImage(b"...", "jpg", size), size))
    ...         info = writer.commit(task="", tally=Tally(items=1))
    ...     [sample.key for sample in read_shard(Path(folder, "demo-train-000000.tar"))]
    ['demo-1']
    """
    for key, members in read_samples(path):
        yield from_members(key, members)


def read_split(folder: Path) -> Iterator[Sample]:
    """Yield the samples of a split in stored order, shard by shard.

    Raises:
        CorruptShardError: if there is no manifest, or a shard is damaged or missing.
        SampleError: if a sample is not of the format.

    >>> from tempfile import TemporaryDirectory
    >>> from shards import ShardWriter, Tally
    >>> from shards.manifest import MANIFEST, build_manifest, encode_json
    >>> size = Size(4, 4)
    >>> with TemporaryDirectory() as folder:
    ...     with ShardWriter(Path(folder), "demo-train-000000") as writer:
    ...         writer.add(Sample("demo-1", EncodedImage(b"...", "jpg", size), size))
    ...         info = writer.commit(task="", tally=Tally(items=1))
    ...     manifest = build_manifest("demo", "train", "", {}, [info])
    ...     _ = Path(folder, MANIFEST).write_bytes(encode_json(manifest))
    ...     [sample.key for sample in read_split(Path(folder))]
    ['demo-1']
    """
    for info in read_manifest(folder).shards:
        yield from read_shard(folder / f"{info.name}.tar")
