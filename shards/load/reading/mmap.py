"""Samples where the system has them in memory: files are mapped, and nothing is copied.

A mapped file that is cut short, or whose disk fails, ends the process that looks at what is gone
(SIGBUS), where reading it would be an error. So a file is mapped only while the system has it in
memory, as far as some probes show, and its size is asked for again at every batch; whatever else it
is, is left to be read. What remains is a file cut short in place while a batch of it is held.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

from shards.load.reading.batch import BatchRequest
from shards.load.reading.native import BUILT
from shards.load.reading.split import Split, dataset_and_shard
from shards.load.storage.file_pool import most_files
from shards.load.storage.files import LocalFiles
from shards.load.storage.page_cache import is_in_memory

if BUILT:
    from shards.load.reading import _read


@dataclass(frozen=True, slots=True)
class _File:
    """What is known of a file since some epoch.

    Attributes:
        epoch: when it was looked at.
        identity: of what the name stood for then.
        mapped: the file; None where it is to be read.
        view: of all its bytes; whoever holds a piece keeps the map.
    """

    epoch: int
    identity: tuple[int, int, int]
    mapped: mmap.mmap | None
    view: memoryview


_UNKNOWN = _File(-1, (0, 0, 0), None, memoryview(b""))


class MmapReader:
    """Gives samples of splits that are in folders here. Threads may ask at once.

    Two that look at the same file at once both map it, and one map is forgotten again.
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        """Map nothing yet.

        Args:
            splits: by number.
        """
        self._here = BUILT and all(type(split.files) is LocalFiles for split in splits)
        self._splits = splits
        self._files: dict[int, _File] = {}

    def close(self) -> None:
        """Let go of the files of which nobody holds a sample."""
        self._files.clear()

    def read(self, asked: BatchRequest, *, check: bool) -> list[memoryview] | None:
        """Samples, without copying them; None where they are to be read.

        Whether a file is in memory is asked once in an epoch.

        Args:
            asked: for which.
            check: compare each with its checksum.
        """
        if not self._here:
            return None
        keys, found = asked.tars.tolist(), asked.found
        views = {key: self._view(key, asked.epoch) for key in set(keys)}
        if not all(views.values()):
            return None
        files = [views[key] for key in keys]
        checksums = found.checksums if check else None
        pieces = _read.view(files, found.offsets, found.sizes, checksums)
        return pieces if len(pieces) == len(files) else None

    def _view(self, key: int, epoch: int) -> memoryview:
        """All bytes of a file; empty, where it is to be read."""
        file = self._files.get(key, _UNKNOWN)
        if file.epoch < epoch:
            file = self._look(key, file, epoch)
        if file.mapped is None or file.mapped.size() != len(file.view):
            return _UNKNOWN.view
        return file.view

    def _look(self, key: int, before: _File, epoch: int) -> _File:
        """Map a file, or keep its map, if the system has all of it."""
        part, shard = dataset_and_shard(key)
        split = self._splits[part]
        expected = split.manifest.shards[shard].bytes
        try:
            fd = os.open(split.files.path(split.names[shard]), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return self._remember(key, _unmapped(epoch))
        try:
            status = os.fstat(fd)
            identity = status.st_dev, status.st_ino, status.st_size
            if status.st_size != expected or not is_in_memory(fd, expected):
                return self._remember(key, _unmapped(epoch))
            mapped = before.mapped
            if mapped is None or before.identity != identity:
                mapped = mmap.mmap(fd, expected, access=mmap.ACCESS_READ)
            return self._remember(key, _File(epoch, identity, mapped, memoryview(mapped)))
        except (OSError, ValueError):  # no file of this kind can be mapped
            return self._remember(key, _unmapped(epoch))
        finally:
            os.close(fd)

    def _remember(self, key: int, file: _File) -> _File:
        self._files.pop(key, None)
        self._files[key] = file
        for eldest in list(self._files)[: -most_files()]:  # each costs a descriptor, too
            self._files.pop(eldest, None)
        return file


def _unmapped(epoch: int) -> _File:
    return _File(epoch, _UNKNOWN.identity, None, _UNKNOWN.view)
