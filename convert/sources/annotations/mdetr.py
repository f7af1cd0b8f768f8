"""MDETR's annotation files (ashkamath/mdetr): COCO's form, but a row of `images` is a sentence.

`images` has a row for each sentence, each with an id of its own, so a photo may be in several rows.
An annotation belongs to a sentence. Sizes are numbers, or numbers in strings.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from convert.errors import AnnotationError
from convert.record import IGNORE
from convert.sources.annotations.coco import CocoCategory
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot
from convert.sources.source import make_id
from shards.sample import Size


class SentenceRow(msgspec.Struct, frozen=True):
    """A row of `images`: one sentence about one photo. `caption` is "" in files of regions."""

    id: int
    file_name: str
    height: int
    width: int
    caption: str = ""

    @property
    def size(self) -> Size:
        """The annotated size."""
        return Size(self.height, self.width)


class BoxRow(msgspec.Struct, frozen=True):
    """A row of `annotations`: one box for one sentence.

    Attributes:
        bbox: x, y, width, height.
        original_id: COCO's id of the object, if the file was made from COCO.
        tokens_positive: characters [start, stop) of the sentence that refer to the object.
        caption: description of the region, in files of regions.
        sam_mask: mask of the object, in GranD-f's copy.
    """

    id: int
    image_id: int
    bbox: tuple[float, float, float, float]
    category_id: int = 0
    iscrowd: int = 0
    ignore: int = 0
    original_id: int | None = None
    tokens_positive: tuple[tuple[int, int], ...] = ()
    caption: str = ""
    sam_mask: msgspec.Raw = msgspec.Raw(b"")


class _File(msgspec.Struct, frozen=True):
    images: list[SentenceRow]
    annotations: list[BoxRow]
    categories: list[CocoCategory] = []


class BoxData(msgspec.Struct, frozen=True, array_like=True):
    """A box in the data of an item."""

    id: int
    bbox: tuple[float, float, float, float]
    category: str
    attributes: tuple[str, ...]
    original_id: int | None
    tokens: tuple[tuple[int, int], ...]
    caption: str
    sam_mask: bytes


class SentenceData(msgspec.Struct, frozen=True, array_like=True):
    """A sentence with its boxes in the data of an item."""

    id: int
    height: int
    width: int
    caption: str
    boxes: list[BoxData]


class PhotoData(msgspec.Struct, frozen=True, array_like=True):
    """All sentences about one photo, in file order.

    Attributes:
        stray: ids of annotations that name a sentence which `images` lacks. Such annotations get a
            photo without sentences.
    """

    file: str
    sentences: list[SentenceData]
    stray: tuple[int, ...] = ()


photo_decoder = msgspec.msgpack.Decoder(PhotoData)


def read_photos(root: DataRoot, path: str) -> Iterator[PhotoData]:
    """Yield the photos in the order in which the file first names them.

    Raises:
        SourceLayoutError: if the file does not have the layout.
    """
    file = read_json(root, path, _File)
    categories = {category.id: category.name for category in file.categories}
    photos: dict[str, PhotoData] = {}
    sentences: dict[int, SentenceData] = {}
    for row in file.images:
        photo = photos.setdefault(row.file_name, PhotoData(row.file_name, []))
        sentence = SentenceData(row.id, row.height, row.width, row.caption, [])
        sentences[row.id] = sentence
        photo.sentences.append(sentence)
    stray: dict[int, list[int]] = {}
    for box in file.annotations:
        if box.image_id in sentences:
            sentences[box.image_id].boxes.append(_box(box, categories))
        else:
            stray.setdefault(box.image_id, []).append(box.id)
    yield from photos.values()
    for image_id, ids in stray.items():
        # The names of photos may be numbers: a prefix keeps this name from matching a photo.
        yield PhotoData(f"row-{image_id}", [], tuple(ids))


def scan_photos(root: DataRoot, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded `PhotoData`) of every photo."""
    for photo in read_photos(root, path):
        yield make_id(PurePosixPath(photo.file).stem), msgspec.msgpack.encode(photo)


def _box(row: BoxRow, categories: dict[int, str]) -> BoxData:
    return BoxData(
        id=row.id,
        bbox=row.bbox,
        category=categories.get(row.category_id, ""),
        attributes=(("crowd",) if row.iscrowd else ()) + ((IGNORE,) if row.ignore else ()),
        original_id=row.original_id,
        tokens=row.tokens_positive,
        caption=row.caption,
        sam_mask=bytes(row.sam_mask),
    )


def expect_rows(photo: PhotoData) -> PhotoData:
    """The photo, after a check that `images` has rows of it, all with the same size.

    Raises:
        AnnotationError: if the check fails.
    """
    if not photo.sentences:
        raise AnnotationError(
            f"annotations {photo.stray[:3]} are about {photo.file}, which `images` lacks"
        )
    sizes = {(sentence.height, sentence.width) for sentence in photo.sentences}
    if len(sizes) > 1:
        raise AnnotationError(f"{photo.file}: its rows have different sizes: {sorted(sizes)}")
    return photo
