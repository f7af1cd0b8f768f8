"""The sources and splits that a run converts: the requested ones whose files exist."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convert.config.config import Config
from convert.errors import ConfigError, SourceLayoutError
from convert.sources.files import DataRoot
from convert.sources.source import Need, missing_needs, ready_splits
from shards.storage import exclusive, sweep


def input_folder(root: Path) -> Path:
    """The absolute path of the data's root.

    Raises:
        ConfigError: if there is no such folder.
    """
    if not root.is_dir():
        raise ConfigError(f"--root {root}: no such folder; expected the folder with the downloads")
    return root.resolve()


def output_folder(out: Path, root: Path) -> Path:
    """The absolute path of the folder for the shards, which is created if needed.

    Raises:
        ConfigError: if it cannot be created, or holds the data, which is never written to.
    """
    folder = out.resolve()
    if folder == root or folder in root.parents:
        raise ConfigError(f"--out {out} holds the data of --root; choose a separate folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: {error.strerror}; expected a folder that can be written to"
        ) from error
    return folder


@contextmanager
def exclusive_output(out: Path) -> Iterator[None]:
    """Lock the output against other runs. Delete temporary files of dead workers, before and after.

    Raises:
        ConfigError: if another run holds the lock.
    """
    with exclusive(out) as locked:
        if not locked:
            raise ConfigError(
                f"another run is writing to {out}; wait for it or choose another --out"
            )
        sweep(out)
        try:
            yield
        finally:
            sweep(out)


@dataclass(frozen=True, slots=True)
class Choice:
    """The sources to convert, and what is missing.

    Attributes:
        sources: names of the sources with at least one split to convert, in the config's order.
        absent: `<source>` or `<source>/<split>` -> what was not found, and at which paths.
    """

    sources: tuple[str, ...]
    absent: Mapping[str, str]


def choose_sources(
    config: Config, root: DataRoot, names: Sequence[str] | None, splits: Iterable[str] | None
) -> Choice:
    """Look for the files of the requested sources.

    Args:
        config: the entries to choose from.
        root: of the data.
        names: of the requested sources; None for all.
        splits: that are requested; None for all.

    Raises:
        ConfigError: if a name is not in the config, or no requested source has such a split.
        SourceLayoutError: if a source requested by name is missing, or all sources are.
    """
    _expect_known("source", names, config.sources)
    chosen = [name for name in config.sources if names is None or name in names]
    known = {split for name in chosen for split in config.sources[name].source.splits}
    _expect_known("split", splits, sorted(known))
    wanted = known if splits is None else set(splits)
    absent: dict[str, str] = {}
    present: list[str] = []
    for name in chosen:
        source = config.sources[name].source
        requested = wanted.intersection(source.splits)
        missing = missing_needs(source, root)
        if requested.intersection(ready_splits(source, root)):
            present.append(name)
            absent |= _absent_splits(name, requested, missing)
        elif requested:
            absent[name] = "; ".join(map(_describe, missing))
    missing_sources = [name for name in chosen if name in absent]
    if not present or (names is not None and missing_sources):
        lines = [f"{name}: {absent[name]}" for name in missing_sources]
        header = f"missing below {root.path}; convert.doctor suggests what to do:"
        raise SourceLayoutError("\n".join([header, *lines]))
    return Choice(tuple(present), absent)


def _absent_splits(name: str, splits: set[str], missing: Sequence[Need]) -> dict[str, str]:
    return {
        f"{name}/{split}": "; ".join(_describe(need) for need in missing if need.split == split)
        for split in sorted(splits)
        if any(need.split == split for need in missing)
    }


def _describe(need: Need) -> str:
    """The first path is the guide's; the doctor lists the others."""
    first, *others = need.paths
    plural = "s" * (len(others) > 1)
    alternatives = f" or {len(others)} other path{plural}" if others else ""
    return f"no {need.label} ({first}{alternatives})"


def _expect_known(what: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ConfigError(f"no {what} {', '.join(unknown)}; there are {', '.join(known)}")
