"""The kernels alone, on one core: no scanning, no reading, no records, no tar.

With these libraries the job cannot be faster than this.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import simplejpeg
from PIL import Image

from convert.config.config import Config
from convert.geometry import fit_longest_side
from convert.image.header import read_label_map_header
from convert.image.policy import ImagePolicy
from convert.record import Record
from convert.sample.labels import store_labels
from convert.sample.masks import store_masks
from convert.sources.files import DataRoot
from shards.sample import Size

_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class Loaded:
    """A photo and its annotations, in memory."""

    record: Record
    photo: bytes
    labels: bytes | None
    policy: ImagePolicy


def load(root: Path, config: Config, source: str) -> list[Loaded]:
    """Photos and annotations of a source's training split."""
    data, entry = DataRoot(root), config.sources[source]
    items = list(entry.source.scan(data, {"train"}))
    with entry.source.open(data) as record_of:
        records = [record_of(item) for item in items]
    return [
        Loaded(
            record,
            _read(data, record.photo),
            _read(data, record.labels.paths) if record.labels else None,
            entry.options.image,
        )
        for record in records
    ]


def _read(data: DataRoot, paths: Sequence[str]) -> bytes:
    file = data.read_first(tuple(paths), max_bytes=_LIMIT)
    if file is None:
        raise FileNotFoundError(paths[0])
    return file[1]


def run_kernels(loaded: Loaded) -> None:
    """Convert one photo, its masks and its label map, and drop the results."""
    height, width, _, _ = simplejpeg.decode_jpeg_header(loaded.photo)
    size = Size(height, width)
    stored = fit_longest_side(size, loaded.policy.longest_side)
    _store_photo(loaded.photo, size, stored, loaded.policy)
    store_masks([region.masks for region in loaded.record.regions], size, stored)
    if loaded.record.labels is not None and loaded.labels is not None:
        header = read_label_map_header(loaded.labels, loaded.policy)
        store_labels(loaded.labels, header, loaded.record.labels.table, size, stored)


def _store_photo(data: bytes, size: Size, stored: Size, policy: ImagePolicy) -> None:
    if size == stored:
        # A photo that keeps its pixels is only checked, at an eighth of its size.
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8, strict=True)
        return
    pixels = simplejpeg.decode_jpeg(data, "RGBX", fastdct=False, fastupsample=False, strict=True)
    shape = (size.width, size.height)
    image = Image.frombuffer("RGBX", shape, pixels, "raw", "RGBX", 0, 1)
    small = image.resize((stored.width, stored.height), Image.Resampling.BILINEAR)
    small.save(io.BytesIO(), "JPEG", quality=policy.quality, subsampling=policy.subsampling)
