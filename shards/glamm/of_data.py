"""The examples of whatever a loader is given."""

from typing import cast

from shards.classes import CLASSES, ClassInfo, read_classes
from shards.glamm.examples import DEFAULTS, Examples
from shards.glamm.prompts import Prompts
from shards.glamm.settings import Settings
from shards.glamm.sources import Task
from shards.glamm.wording import WORDING
from shards.load.loader import Data
from shards.load.mixture import Mixture
from shards.load.reading.split import Selection, Split


def examples_for(
    data: Data, settings: Settings = DEFAULTS, prompts: Prompts = WORDING, *, expand: str = ""
) -> list[Examples]:
    """One for each dataset of the data, in its order: a loader's `example`.

    Args:
        data: what the loader is given.
        settings: of the run.
        prompts: what is said around the data.
        expand: as the loader is given it; the members of a mixture have their own.

    Raises:
        CorruptShardError: if a manifest or an index is missing or damaged.
        LoadError: if a source is none that is known, or is expanded over what it does not count.
    """
    if isinstance(data, Mixture):
        splits, tasks = data.open(), [member.task for member in data.members]
    else:
        splits = [data if isinstance(data, Split) else Split.open(data, Selection(expand=expand))]
        tasks = [""]
    return [
        Examples(
            split.manifest.source,
            settings,
            prompts,
            _classes(split),
            task=cast("Task", task) if task else None,
            expand=split.selection.expand,
        )
        for split, task in zip(splits, tasks, strict=True)
    ]


def _classes(split: Split) -> tuple[ClassInfo, ...]:
    if CLASSES not in split.manifest.files:
        return ()
    return tuple(read_classes(split.files.path(CLASSES).parent))
