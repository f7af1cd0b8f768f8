"""Which sources and splits a run converts: those asked for, as far as they are there."""

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
    """The data's root, absolute.

    Raises:
        ConfigError: if it is not there.
    """
    if not root.is_dir():
        raise ConfigError(f"--root {root}: no such folder; expected the one with the downloads")
    return root.resolve()


def output_folder(out: Path, root: Path) -> Path:
    """Where shards go, absolute; made if absent.

    Raises:
        ConfigError: if it cannot be written to, or the data is in it: nothing may touch that.
    """
    folder = out.resolve()
    if folder == root or folder in root.parents:
        raise ConfigError(f"--out {out} holds the data of --root; choose a folder of its own")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: {error.strerror}; expected a folder to write to"
        ) from error
    return folder


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other runs out, and leave no temporary file of dead workers, neither old nor ours.

    Raises:
        ConfigError: if another run holds the folder.
    """
    with exclusive(out) as held:
        if not held:
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
    """What will be converted, and what cannot be.

    Attributes:
        sources: names of entries of which at least one split is there, in the config's order.
        absent: `<source>` or `<source>/<split>` -> what was not found, and where it was looked for.
    """

    sources: tuple[str, ...]
    absent: Mapping[str, str]


def choose(
    config: Config, root: DataRoot, names: Sequence[str] | None, splits: Iterable[str] | None
) -> Choice:
    """Look at what is on disk.

    Args:
        config: the entries to choose from.
        root: of the data.
        names: only these; None for every one.
        splits: only these; None for every one.

    Raises:
        ConfigError: if a name is not in the config, or no chosen source has such a split.
        SourceLayoutError: if a source asked for by name is not there, or none is at all.
    """
    _expect_known("source", names, config.sources)
    chosen = [name for name in config.sources if names is None or name in names]
    known = {split for name in chosen for split in config.sources[name].source.splits}
    _expect_known("split", splits, sorted(known))
    wanted = known if splits is None else set(splits)
    absent: dict[str, str] = {}
    found: list[str] = []
    for name in chosen:
        source = config.sources[name].source
        here = wanted.intersection(source.splits)
        missing = missing_needs(source, root)
        if here.intersection(ready_splits(source, root)):
            found.append(name)
            absent |= _by_split(name, here, missing)
        elif here:
            absent[name] = "; ".join(map(_describe, missing))
    lost = [name for name in chosen if name in absent]
    if not found or (names is not None and lost):
        lines = [f"{name}: {absent[name]}" for name in lost]
        raise SourceLayoutError("\n".join([f"below {root.path} there is", *lines]))
    return Choice(tuple(found), absent)


def _by_split(name: str, splits: set[str], missing: Sequence[Need]) -> dict[str, str]:
    return {
        f"{name}/{split}": "; ".join(_describe(need) for need in missing if need.split == split)
        for split in sorted(splits)
        if any(need.split == split for need in missing)
    }


def _describe(need: Need) -> str:
    """The guide's own place comes first; the doctor lists the others."""
    first, *others = need.paths
    return f"no {need.label} ({first}{f' or {len(others)} other places' if others else ''})"


def _expect_known(what: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ConfigError(f"no {what} {', '.join(unknown)}; there are {', '.join(known)}")
