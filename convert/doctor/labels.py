"""A check of some label maps: another edition of a dataset shows in any of them."""

from collections.abc import Iterator

from convert.errors import RecordError
from convert.image.header import read_label_map_header
from convert.image.policy import ImagePolicy
from convert.record import Record
from convert.sample.labels import store_labels
from convert.sources.files import DataRoot

_LABEL_MAPS = 20
"""Label maps of a source that are checked."""


def check_label_maps(root: DataRoot, records: list[Record]) -> tuple[int, list[str]]:
    """(label maps checked, what is wrong with them)."""
    some = records[:: max(1, len(records) // _LABEL_MAPS)]
    return len(some), [error for record in some for error in _check(root, record)]


def _check(root: DataRoot, record: Record) -> Iterator[str]:
    policy = ImagePolicy()
    labels = record.labels
    if labels is None:
        return
    path = labels.paths[0]
    try:
        file = root.read_first(labels.paths, max_bytes=policy.max_bytes)
        if file:
            path, content = file
            header = read_label_map_header(content, policy)
            store_labels(content, header, labels.table, header.size, header.size)
    except (RecordError, OSError) as error:
        yield f"{path}: {error}"
