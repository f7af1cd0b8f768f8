"""The two folders of a run: one that is only read, and one that it has for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convert.errors import ConfigError
from shards.store import exclusive, sweep


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
