"""`python -m shards.verify OUT [--deep] [--json]`: whether an output is as it was written."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shards.errors import MissingExtraError
from shards.verify.finding import Finding
from shards.verify.output import Depth, verify_output

_INTACT, _DAMAGED, _NOT_RUN = 0, 1, 2


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m shards.verify",
        usage="%(prog)s [-h] OUT [--deep] [--json] [--workers N]",
        description="Read all files below a folder of shards and report everything that is not as "
        "it was written.",
        epilog="Exit status: 0 nothing is wrong; 1 something is wrong; 2 the check did not run.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder with SOURCE/SPLIT/ below it")
    parser.add_argument(
        "--deep", action="store_true", help="decode every photo, mask and label map, too"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the findings as JSON on standard output"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that read shards (default: one per core)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    workers = len(os.sched_getaffinity(0)) if options.workers is None else options.workers
    if workers < 1:
        parser.error(f"argument --workers: expected at least 1, found {workers}")
    if not options.out.is_dir():
        sys.stderr.write(
            f"verify: {options.out}: no such folder; expected the output of convert.run\n"
        )
        return _NOT_RUN
    depth: Depth = "pixels" if options.deep else "bytes"
    try:
        findings = verify_output(options.out, depth, workers=workers, progress=_show_progress)
    except MissingExtraError as error:
        sys.stderr.write(f"verify: {error}\n")
        return _NOT_RUN
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(findings) + b"\n")
    else:
        _print_findings(findings)
    return _DAMAGED if findings else _INTACT


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done in {1, total} or done % 100 == 0:
        end = "\r" if sys.stderr.isatty() and done < total else "\n"
        sys.stderr.write(f"{done:,} of {total:,} shards read{end}")


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        offset = f", byte {finding.offset:,}" if finding.offset is not None else ""
        sys.stdout.write(f"{finding.file}{offset}: {finding.problem}\n    {finding.remedy}\n")
    sys.stdout.write(f"{len(findings):,} findings\n" if findings else "nothing is wrong\n")


if __name__ == "__main__":
    sys.exit(main())
