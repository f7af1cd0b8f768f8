"""JSON files decoded into typed values; fields that the type does not name are skipped."""

from typing import TypeVar

import msgspec

from convert.errors import SourceLayoutError
from convert.sources.files import DataRoot

T = TypeVar("T")


def read_json(root: DataRoot, path: str, kind: type[T]) -> T:
    """Decode an annotation file.

    Args:
        root: of the data.
        path: of the file, relative to the root.
        kind: the type of the value.

    Raises:
        SourceLayoutError: with the file and the row that does not have the published layout.
    """
    try:
        return msgspec.json.decode(root.read_annotation(path), type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceLayoutError(
            f"{path}: {error}; is the file cut short, or of another edition? Download it again"
        ) from error
