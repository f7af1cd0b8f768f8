"""A layout of annotation files: a function for the file, and a function for each photo in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from convert.record import Paths, Record
from convert.sources.files import DataRoot


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read the annotation file of a split.

    Attributes:
        scan: (root, path of the file) -> (id, data) of every photo, in upstream's order.
        record: (data, folders in which its photo may be) -> the record.
    """

    scan: Callable[[DataRoot, str], Iterator[tuple[str, bytes]]]
    record: Callable[[bytes, Paths], Record]
