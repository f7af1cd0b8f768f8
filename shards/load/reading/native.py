"""Many samples read and checked in one call, where their shards are in folders here.

Python takes longer to ask for a sample than memory takes to give it, and asks in one thread at a
time. The compiled reader needs neither; without it, samples are read one by one.
"""

import os
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shards.load.reading.split import SampleLocations, Split, dataset_and_shard
from shards.load.storage.file_pool import FilePool
from shards.load.storage.files import LocalFiles
from shards.random import Ints

try:
    from shards.load.reading import _read
except ImportError:  # not compiled on this machine
    BUILT = False
else:
    BUILT = True


class NativeReader:
    """Reads samples of splits that are in folders here. Threads may do so at once."""

    def __init__(self, splits: Sequence[Split]) -> None:
        """Open nothing yet.

        Args:
            splits: by number.
        """
        self._here = BUILT and all(type(split.files) is LocalFiles for split in splits)
        self._files = FilePool(partial(_open, splits))

    def close(self) -> None:
        """Close what nobody is reading."""
        self._files.forget()

    def read(
        self, tars: Ints, found: SampleLocations, out: NDArray[np.uint8], *, check: bool
    ) -> bool:
        """Read samples one after the other; False where one by one is to be found out why not.

        Args:
            tars: int64 [samples]; numbers of the shards among those of all splits.
            found: where each is.
            out: uint8 [their bytes].
            check: compare each with its checksum.

        Raises:
            LoadError: if this process may open no more files.
        """
        if not self._here or not len(tars):
            return False
        try:
            # referred to until they were read, so that none is closed for another
            files = [self._files.open(tar) for tar in tars.tolist()]
        except OSError:
            return False
        descriptors = np.array([file.fd for file in files], np.int32)
        checksums = found.checksums if check else None
        done = _read.read(descriptors, found.offsets, found.sizes, checksums, out)
        return done == len(files)


def _open(splits: Sequence[Split], tar: int) -> int:
    part, shard = dataset_and_shard(tar)
    split = splits[part]
    return os.open(split.files.path(split.names[shard]), os.O_RDONLY | os.O_CLOEXEC)
