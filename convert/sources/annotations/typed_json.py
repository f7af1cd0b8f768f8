"""JSON files read straight into the few fields that are wanted; the rest is skipped unbuilt."""

from typing import TypeVar

import msgspec

from convert.errors import SourceLayoutError
from convert.sources.files import DataRoot

T = TypeVar("T")


def read_json(root: DataRoot, place: str, kind: type[T]) -> T:
    """Decode an annotation file.

    Args:
        root: of the data.
        place: the file, relative to it.
        kind: what the file holds; fields it does not name are ignored.

    Raises:
        SourceLayoutError: naming the file and the row that is not of the published shape.
    """
    try:
        return msgspec.json.decode(root.read_annotation(place), type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceLayoutError(
            f"{place}: {error}; is the file cut short, or of another edition?"
        ) from error
