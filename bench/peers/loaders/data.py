"""The samples that every loader reads, as a finished split."""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from convert.image.policy import ImagePolicy
from shards.index.dali import DALI
from shards.index.energon import ENERGON
from shards.index.samples import SAMPLES
from shards.index.wids import WIDS
from shards.index.write import merge_rows, write_indexes
from shards.layout import read_split, to_members
from shards.manifest import MANIFEST, Tally, build_manifest, encode_json
from shards.sample import EncodedImage, Region, Rle, Sample, Size
from shards.storage import hash_file
from shards.writer import ShardWriter

SOURCE, SPLIT = "bench", "train"
OURS = Path("ours", SOURCE, SPLIT)
"""Below the folder of all formats."""
SIZE = Size(480, 640)
COUNTS, REGIONS = 190, 14
"""Bytes of a mask, and number of masks: a little more than 3 kB of annotations."""
SHARDS = 8
_POLICY = ImagePolicy()


def with_photos(photos: Sequence[EncodedImage], count: int) -> Iterator[Sample]:
    """Samples of real JPEGs, which are repeated."""
    for number in range(count):
        yield _sample(number, photos[number % len(photos)])


def photo_of_size(data: bytes, size: Size) -> EncodedImage:
    """A photo scaled to a size and encoded as the conversion stores it."""
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB").resize((size.width, size.height), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_POLICY.quality, subsampling=_POLICY.subsampling)
    return EncodedImage(out.getvalue(), "jpg", size)


def _sample(number: int, image: EncodedImage) -> Sample:
    rng = np.random.default_rng(number)
    regions = tuple(
        Region(phrases=(f"thing {each}",), mask=Rle(image.size, rng.bytes(COUNTS)))
        for each in range(REGIONS)
    )
    return Sample(
        key=f"{SOURCE}-{number:06d}",
        image=image,
        original_size=image.size,
        file=f"{number}.jpg",
        regions=regions,
    )


def write(root: Path, samples: Iterator[Sample], count: int, shards: int = SHARDS) -> Path:
    """Write a finished split, with the indexes that other readers of our tars need.

    Args:
        root: the folder `OURS` is created in it.
        samples: `count` of them.
        count: number of samples.
        shards: number of shards, of equal size.
    """
    folder, infos = root / OURS, []
    for number in range(shards):
        size = count * (number + 1) // shards - count * number // shards
        with ShardWriter(folder, f"{SOURCE}-{SPLIT}-{number:06d}", number) as writer:
            for sample in islice(samples, size):
                writer.add(sample)
            infos.append(writer.commit(task="", tally=Tally(items=size), indexes=[DALI]))
    merge_rows(folder, infos)
    files = {SAMPLES: hash_file(folder / SAMPLES)}
    manifest = build_manifest(SOURCE, SPLIT, "", {}, infos, files=files)
    (folder / MANIFEST).write_bytes(encode_json(manifest))
    write_indexes(root / "ours", [ENERGON, WIDS], shards=True)
    return folder


def members(root: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """(key, photo, annotations) of every sample, as stored."""
    for sample in read_split(root / OURS):
        (_, photo), (_, annotations) = to_members(sample)
        yield sample.key, photo, annotations
