"""What a loader does about samples that cannot be given."""

import logging
from threading import Lock

from shards.errors import (
    CorruptShardError,
    ExampleError,
    LoadError,
    MaskError,
    SampleError,
    ShardError,
)

DAMAGED = (CorruptShardError, SampleError, MaskError)
"""What is wrong with one sample. Any other error is the loader's, and none to be skipped."""
_log = logging.getLogger("shards.load")


class Losses:
    """Counts the samples that were skipped, up to a limit. Threads may share it."""

    def __init__(self, limit: int) -> None:
        """Begin at none.

        Args:
            limit: how many may be skipped; 0 skips none.
        """
        self._limit, self._lock = limit, Lock()
        self._skipped: set[tuple[int, int]] = set()
        self.replaced = 0

    @property
    def count(self) -> int:
        """Samples that were skipped; each is met again in every epoch, and counts once."""
        return len(self._skipped)

    def add(self, error: ShardError, part: int, row: int) -> None:
        """Skip a sample, and log it.

        Args:
            error: what is wrong with it.
            part: number of its dataset.
            row: its own in there.

        Raises:
            ShardError: the error itself, where none may be skipped.
            LoadError: if this is one too many.
        """
        if not self._limit:
            raise error
        with self._lock:
            if (part, row) in self._skipped:
                return
            self._skipped.add((part, row))
            count = self.count
        if count > self._limit:
            raise LoadError(
                f"{count} samples could not be loaded, and skip={self._limit} allows no more; "
                f"the last: {error}"
            ) from error
        _log.warning("skipped a sample (%d of at most %d): %s", count, self._limit, error)

    def replace(self, error: ExampleError) -> None:
        """Count a sound sample in whose place another is given, and log it."""
        with self._lock:
            self.replaced += 1
        _log.info("gave another sample: %s", error)
