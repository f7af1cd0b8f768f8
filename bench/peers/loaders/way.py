"""What a way to load is: opened once, gone through again and again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Stored = tuple[str, bytes, bytes]
"""(key, photo, annotations)."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be loaded, and by how much of the machine.

    Attributes:
        root: folder of all formats.
        batch: samples of a batch.
        rank: of this process; libraries that find theirs by themselves find this one.
        world: processes that share the samples.
        samples: of the dataset.
        bytes: of its tars.
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
        folder: below the root; what it reads.
        open: gives what is iterated; each time is an epoch.
        count: samples of an item that it gives.
        look: the samples of an item as stored, in some order; None for what knows no samples, or
            has decoded them.
        needs: packages that may be absent.
    """

    folder: str
    open: Callable[[Task], Iterable[Any]]
    count: Callable[[Any], float]
    look: Callable[[Any], Sequence[Stored]] | None
    needs: Sequence[str] = ()

    @property
    def lacks(self) -> list[str]:
        """Needed packages that are absent."""
        return [name for name in self.needs if not _is_here(name)]


def _is_here(name: str) -> bool:
    """Whether a package is installed; one that holds the named one may be absent, too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def one(_item: object) -> int:
    """Samples of an item that is a sample."""
    return 1
