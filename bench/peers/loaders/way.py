"""A way to load: opened once, iterated for any number of epochs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Stored = tuple[str, bytes, bytes]
"""(key, photo, annotations)."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to load.

    Attributes:
        root: folder of all formats.
        batch: samples of a batch.
        rank: of this process; libraries that read it from the environment get the same.
        world: processes that share the samples.
        samples: number of samples of the dataset.
        bytes: size of its tars.
    """

    root: Path
    batch: int
    rank: int
    world: int
    samples: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Way:
    """One way to load.

    Attributes:
        folder: of the format that it reads, below the root.
        open: returns an iterable; one iteration is one epoch.
        count: number of samples of an item.
        to_stored: the samples of an item as stored, in any order; None if items have no samples, or
            decoded ones.
        needs: packages that may not be installed.
    """

    folder: str
    open: Callable[[Task], Iterable[Any]]
    count: Callable[[Any], float]
    to_stored: Callable[[Any], Sequence[Stored]] | None
    needs: Sequence[str] = ()

    @property
    def missing(self) -> list[str]:
        """Packages that it needs and that are not installed."""
        return [name for name in self.needs if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    """Whether a package is installed; its parent package may be missing, too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def one(_item: object) -> int:
    """Number of samples, if an item is a sample."""
    return 1
