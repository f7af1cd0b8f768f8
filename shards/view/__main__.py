"""`python -m shards.view OUT/refcoco/train`: a picture of samples with all their annotations."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from shards.errors import MissingExtraError, ShardError

_MAX_SAMPLES = 256
_DRAWN, _FAILED, _NOT_RUN = 0, 1, 2


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m shards.view",
        usage="%(prog)s [-h] SHARDS [--n N] [--out FILE] [--seed N] [--key KEY [KEY ...]]",
        description="Draw samples of a split: photos with masks and boxes, and their texts in the "
        "same colours.",
        epilog="Exit status: 0 the picture is drawn; 1 it is not, the message says why; 2 wrong "
        "arguments, or Pillow is not installed.",
    )
    parser.add_argument(
        "shards",
        type=Path,
        metavar="SHARDS",
        help="the folder of a split, such as OUT/refcoco/train, or one .tar",
    )
    parser.add_argument(
        "--n", type=int, default=16, metavar="N", help="number of samples (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("sheet.png"),
        metavar="FILE",
        help="the picture, .png or .jpg (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="select random samples; the same seed selects the same ones (default: samples at "
        "even distances)",
    )
    parser.add_argument(
        "--key", nargs="+", default=[], metavar="KEY", help="draw these samples, in this order"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not 1 <= options.n <= _MAX_SAMPLES:
        parser.error(f"argument --n: expected 1 to {_MAX_SAMPLES}, found {options.n}")
    if options.seed is not None and options.seed < 0:
        parser.error(f"argument --seed: expected at least 0, found {options.seed}")
    try:
        from shards.pixels import require_pillow

        require_pillow("drawing samples", extra="view")
        from shards.view.sheet import write_sheet

        number = write_sheet(
            options.shards, options.out, n=options.n, seed=options.seed, keys=options.key
        )
    except MissingExtraError as error:
        sys.stderr.write(f"view: {error}\n")
        return _NOT_RUN
    except ShardError as error:
        sys.stderr.write(f"view: {error}\n")
        return _FAILED
    sys.stdout.write(f"{options.out}: {number} sample{'s' if number > 1 else ''}\n")
    return _DRAWN


if __name__ == "__main__":
    sys.exit(main())
