"""Samples in memory-mapped shards: nothing is copied.

If a mapped file is truncated, or its disk fails, the system ends a process that accesses the part
that is gone (SIGBUS), where a read would be an error. So a file is mapped only while it is in the
page cache, as far as a few probes show, and its size is checked again at every batch; all other
files are read. What remains is a file that is truncated in place while a batch of it is held.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

from shards.load.reading.batch import BatchRequest
from shards.load.reading.split import Split, dataset_and_shard
from shards.load.storage.files import LocalFiles, is_in_page_cache, max_open_files

try:
    from shards.load.reading import _read
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True


@dataclass(frozen=True, slots=True)
class _MappedFile:
    """What is known of a shard since some epoch.

    Attributes:
        epoch: when the file was last checked.
        identity: device, inode and size of the file then.
        mapped: the mapping; None if the file is to be read.
        view: of all its bytes; every slice of it keeps the mapping.
    """

    epoch: int
    identity: tuple[int, int, int]
    mapped: mmap.mmap | None
    view: memoryview


_UNKNOWN = _MappedFile(-1, (0, 0, 0), None, memoryview(b""))


class MmapReader:
    """Gives samples of local splits without copying them. Thread-safe.

    Concurrent callers may map a file twice; the extra mapping is dropped.
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        """Map nothing yet.

        Args:
            splits: the datasets, by index.
        """
        self._usable = COMPILED and all(type(split.files) is LocalFiles for split in splits)
        self._splits = splits
        self._files: dict[int, _MappedFile] = {}

    def close(self) -> None:
        """Unmap the files; a file stays mapped while one of its samples is held."""
        self._files.clear()

    def read(self, request: BatchRequest, *, check: bool) -> list[memoryview] | None:
        """Views of samples; None if they must be read instead.

        Each file is checked once per epoch for being in the page cache.

        Args:
            request: which samples.
            check: compare each sample with its checksum.
        """
        if not self._usable:
            return None
        keys, locations = request.shard_keys.tolist(), request.locations
        views = {key: self._view(key, request.epoch) for key in set(keys)}
        if not all(views.values()):
            return None
        files = [views[key] for key in keys]
        checksums = locations.checksums if check else None
        samples = _read.view(files, locations.offsets, locations.sizes, checksums)
        return samples if len(samples) == len(files) else None

    def _view(self, key: int, epoch: int) -> memoryview:
        """All bytes of a file; empty if the file is to be read."""
        file = self._files.get(key, _UNKNOWN)
        if file.epoch < epoch:
            file = self._check(key, file, epoch)
        if file.mapped is None or file.mapped.size() != len(file.view):
            return _UNKNOWN.view
        return file.view

    def _check(self, key: int, before: _MappedFile, epoch: int) -> _MappedFile:
        """Map a file, or keep its mapping, if all of it is in the page cache."""
        dataset_index, shard = dataset_and_shard(key)
        split = self._splits[dataset_index]
        expected = split.manifest.shards[shard].bytes
        try:
            fd = os.open(split.files.path(split.names[shard]), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return self._remember(key, _unmapped(epoch))
        try:
            status = os.fstat(fd)
            identity = status.st_dev, status.st_ino, status.st_size
            if status.st_size != expected or not is_in_page_cache(fd, expected):
                return self._remember(key, _unmapped(epoch))
            mapped = before.mapped
            if mapped is None or before.identity != identity:
                mapped = mmap.mmap(fd, expected, access=mmap.ACCESS_READ)
            return self._remember(key, _MappedFile(epoch, identity, mapped, memoryview(mapped)))
        except (OSError, ValueError):  # a kind of file that cannot be mapped
            return self._remember(key, _unmapped(epoch))
        finally:
            os.close(fd)

    def _remember(self, key: int, file: _MappedFile) -> _MappedFile:
        self._files.pop(key, None)
        self._files[key] = file
        for oldest in list(self._files)[: -max_open_files()]:  # each holds a descriptor, too
            self._files.pop(oldest, None)
        return file


def _unmapped(epoch: int) -> _MappedFile:
    return _MappedFile(epoch, _UNKNOWN.identity, None, _UNKNOWN.view)
