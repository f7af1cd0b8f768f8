"""Real photos with three masks each as GLaMM's training examples, from file and from sample."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from pycocotools import mask as coco

from bench.harness.command import Claim, Section
from bench.harness.photos import by_size
from bench.peers.glamm import Clip, ReferenceReader, clip_at_its_least, clip_of_transformers
from bench.peers.glamm_items import ReferenceItem
from convert.errors import RecordError
from convert.image.header import read_photo_header
from convert.image.policy import ImagePolicy
from convert.record import RawRegion, Record
from convert.sample.transform import transform
from shards.glamm import Examples, Settings
from shards.sample import Rle, Sample, Size

_PHOTOS, _MASKS = 8, 3
POLICY = ImagePolicy()


def photo_sections(
    folders: Sequence[Path], names: Sequence[str], claims: Sequence[Claim]
) -> Iterator[Section]:
    """A section of the benchmark for each size of photo.

    Args:
        folders: of photos.
        names: of the four ways: ours, ours in bf16, the reference's, and the reference's without
            transformers.
        claims: about these ways.
    """
    ours, half, peer, lean = names
    for size, photos in by_size(folders).items():
        with TemporaryDirectory() as folder:
            pairs = [
                pair for n, data in enumerate(photos[:_PHOTOS]) for pair in _pair(data, folder, n)
            ]
            samples, items = [sample for sample, _ in pairs], [item for _, item in pairs]
            ways: dict[str, Callable[[], object]] = {
                ours: partial(_run_ours, Examples("refcoco"), samples),
                half: partial(_run_ours, Examples("refcoco", Settings(precision="bf16")), samples),
                peer: partial(_run_reference, clip_of_transformers(), items),
                lean: partial(_run_reference, clip_at_its_least, items),
            }
            title = f"{len(pairs)} real photos, {size}, {_MASKS} masks: an example, one thread"
            yield Section(title, ways, claims, len(pairs))


def _pair(data: bytes, folder: str, number: int) -> Iterator[tuple[Sample, ReferenceItem]]:
    """(the stored sample, the item of the reference); nothing if the photo does not decode."""
    size = read_photo_header(data, POLICY).size
    masks = [_ellipse(size, number) for number in range(_MASKS)]
    texts = [f"thing {number}" for number in range(_MASKS)]
    regions = tuple(
        RawRegion(phrases=(text,), masks=(mask,)) for text, mask in zip(texts, masks, strict=True)
    )
    record = Record(photo=("a.jpg",), file="a.jpg", size=size, regions=regions)
    try:
        sample, _ = transform(f"photo-{number}", record, data, None, POLICY)
    except RecordError:
        return
    path = Path(folder, f"{number}.jpg")
    path.write_bytes(data)
    runs = [[{"size": [size.height, size.width], "counts": mask.counts}] for mask in masks]
    yield sample, ReferenceItem(path, "named", texts, masks=runs)


def _ellipse(size: Size, number: int) -> Rle:
    y, x = np.ogrid[: size.height, : size.width]
    centre = (number + 1) / (_MASKS + 1)
    distance = ((y / size.height - 0.5) / 0.3) ** 2 + ((x / size.width - centre) / 0.2) ** 2
    return Rle(size, coco.encode(np.asfortranarray(distance <= 1, np.uint8))["counts"])


def _run_ours(examples: Examples, samples: Sequence[Sample]) -> None:
    for number, sample in enumerate(samples):
        examples(sample, number)


def _run_reference(clip: Clip, items: Sequence[ReferenceItem]) -> None:
    reader = ReferenceReader(clip, Random(0))  # noqa: S311 - not cryptographic
    for item in items:
        reader(item)
