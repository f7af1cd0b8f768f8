"""`python -m shards.index OUT --format NAME ...`: add index files to finished shards."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from shards.errors import CorruptShardError
from shards.index.registry import INDEX_FORMATS
from shards.index.write import write_indexes

_WRITTEN, _FAILED, _NOT_RUN = 0, 1, 2


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m shards.index",
        usage="%(prog)s [-h] OUT --format NAME [NAME ...]",
        description="Add index files for other readers to finished shards. Existing index files "
        "are replaced.",
        epilog="Exit status: 0 the files are written; 1 they are not, the message says why; 2 "
        "wrong arguments.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder with SOURCE/SPLIT/ below it")
    parser.add_argument(
        "--format",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"the index formats to write: {', '.join(INDEX_FORMATS)}",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    options = _parser().parse_args(arguments)
    unknown = sorted(set(options.format) - INDEX_FORMATS.keys())
    if unknown:
        sys.stderr.write(
            f"index: no format {', '.join(unknown)}; expected {', '.join(INDEX_FORMATS)}\n"
        )
        return _NOT_RUN
    if not options.out.is_dir():
        sys.stderr.write(
            f"index: {options.out}: no such folder; expected the output of convert.run\n"
        )
        return _NOT_RUN
    formats = [INDEX_FORMATS[name] for name in options.format]
    try:
        written = write_indexes(options.out, formats, shards=True)
    except (CorruptShardError, OSError) as error:
        sys.stderr.write(f"index: {error}\n")
        return _FAILED
    sys.stderr.write(f"{written} files written\n")
    return _WRITTEN


if __name__ == "__main__":
    sys.exit(main())
