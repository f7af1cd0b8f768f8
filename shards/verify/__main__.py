"""`python -m shards.verify OUT [--deep] [--json]`: whether an output is what was written."""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from shards.verify import verify

app = App(
    name="python -m shards.verify",
    help_epilogue="Exit status: 0 nothing is wrong; 1 something is; 2 there is no such folder.",
)
_Flag = Annotated[bool, Parameter(negative=())]
_SOUND, _DAMAGED, _NOWHERE = 0, 1, 2


@app.default
def main(
    out: Path, *, deep: _Flag = False, json: _Flag = False, workers: PositiveInt | None = None
) -> int:
    """Read everything below a folder of shards, and tell all that is not as it was written.

    Parameters
    ----------
    out
        The folder with SOURCE/SPLIT/ below it.
    deep
        Decode every photo, mask and label map as well.
    json
        Findings as JSON on standard output.
    workers
        Shards read at once. The default is one for each core.
    """
    if not out.is_dir():
        sys.stderr.write(f"verify: {out}: no such folder; expected the one with the shards\n")
        return _NOWHERE

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() or done in {1, total} or done % 100 == 0:
            end = "\r" if sys.stderr.isatty() and done < total else "\n"
            sys.stderr.write(f"{done:,} of {total:,} shards read{end}")

    count = workers or len(os.sched_getaffinity(0))
    findings = verify(out, "pixels" if deep else "bytes", workers=count, progress=progress)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(findings) + b"\n")
        return _DAMAGED if findings else _SOUND
    for found in findings:
        place = f", byte {found.offset:,}" if found.offset is not None else ""
        sys.stdout.write(f"{found.file}{place}: {found.problem}\n    {found.remedy}\n")
    sys.stdout.write(f"{len(findings):,} findings\n" if findings else "nothing is wrong\n")
    return _DAMAGED if findings else _SOUND


if __name__ == "__main__":
    sys.exit(app())
