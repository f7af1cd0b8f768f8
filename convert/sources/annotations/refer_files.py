"""The REFER layout (lichengunc/refer): `refs(<split_by>).p` beside `instances.json`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from convert.errors import SourceLayoutError
from convert.sources.annotations.coco import CocoImage, CocoInstance, InstancesFile
from convert.sources.annotations.plain_pickle import read_plain_pickle
from convert.sources.annotations.typed_json import read_json
from convert.sources.files import DataRoot


class Sentence(msgspec.Struct, frozen=True):
    """One referring expression. `sent` is the normalised text, which models are trained on."""

    sent_id: int
    sent: str


class Ref(msgspec.Struct, frozen=True):
    """One object and its expressions. RefCLEF's ids of annotations are strings."""

    ref_id: int
    ann_id: int | str
    image_id: int
    split: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class ReferPhoto:
    """One photo of one split, its refs, and the instance of each ref, or None if it is missing."""

    image_id: int
    split: str
    image: CocoImage | None
    refs: tuple[Ref, ...]
    instances: tuple[CocoInstance | None, ...]
    categories: tuple[str, ...]


_COMBINED = re.compile(r"test([ABC]{2,3})")


def read_refer(root: DataRoot, folder: str, refs_name: str) -> Iterator[ReferPhoto]:
    """Yield the photos in the order in which the refs first name them.

    Raises:
        UnsafePickleError: if the pickle of refs holds anything but plain data.
        SourceLayoutError: if a file does not have the layout.
    """
    refs = _read_refs(root, f"{folder}/{refs_name}")
    file = read_json(root, f"{folder}/instances.json", InstancesFile)
    images = {image.id: image for image in file.images}
    instances = {instance.id: instance for instance in file.annotations}
    categories = {category.id: category.name for category in file.categories}
    groups: dict[tuple[int, str], list[Ref]] = {}
    for ref in refs:
        for split in _splits(ref.split):
            groups.setdefault((ref.image_id, split), []).append(ref)
    for (image_id, split), group in groups.items():
        rows = tuple(instances.get(ref.ann_id) for ref in group)
        yield ReferPhoto(
            image_id=image_id,
            split=split,
            image=images.get(image_id),
            refs=tuple(group),
            instances=rows,
            categories=tuple(categories.get(row.category_id, "") if row else "" for row in rows),
        )


def _splits(name: str) -> Iterator[str]:
    """The splits of a ref. `testAB` means testA and testB, as in lichengunc/refer's own reader."""
    combined = _COMBINED.fullmatch(name)
    if combined is None:
        yield name
    else:
        yield from (f"test{letter}" for letter in combined[1])


def _read_refs(root: DataRoot, path: str) -> Sequence[Ref]:
    value = read_plain_pickle(root.read_annotation(path), path)
    try:
        return msgspec.convert(value, list[Ref])
    except (msgspec.ValidationError, RecursionError) as error:
        raise SourceLayoutError(f"{path}: {error}; expected a list of refs") from error
