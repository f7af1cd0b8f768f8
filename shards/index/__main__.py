"""`python -m shards.index OUT --format NAME ...`: add index files to shards that are there."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shards.errors import CorruptShardError
from shards.index.registry import INDEX_FORMATS
from shards.index.write import write_indexes

app = App(name="python -m shards.index")


@app.default
def index(
    out: Path,
    *,
    format: Annotated[list[str], Parameter(consume_multiple=True, negative=())],  # noqa: A002 - the option's name
) -> int:
    """Add index files for other readers to finished shards; existing ones are replaced.

    Parameters
    ----------
    out
        The folder with the shards, SOURCE/SPLIT/ below it.
    format
        Which index files.
    """
    unknown = sorted(set(format) - INDEX_FORMATS.keys())
    if unknown:
        sys.stderr.write(
            f"index: no format {', '.join(unknown)}; there are {', '.join(INDEX_FORMATS)}\n"
        )
        return 2
    if not out.is_dir():
        sys.stderr.write(f"index: {out}: no such folder; expected the one with the shards\n")
        return 2
    try:
        written = write_indexes(out, [INDEX_FORMATS[name] for name in format], shards=True)
    except (CorruptShardError, OSError) as error:
        sys.stderr.write(f"index: {error}\n")
        return 1
    sys.stderr.write(f"{written} files written\n")
    return 0


if __name__ == "__main__":
    sys.exit(app())
