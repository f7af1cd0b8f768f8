#!/usr/bin/env python3
"""Print what pyproject.toml requires for the extras named as arguments, one requirement per line.

References between extras (`glamm-shards[view]`) are resolved. Markers stay, for pip to evaluate.
The two distributions of Pillow lose theirs: the caller chooses one of them.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?(?P<rest>.*)")


def requirements(pyproject: Path, extras: Sequence[str]) -> Iterator[str]:
    """Base requirements, then those of the extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    available = project["optional-dependencies"]
    yield from project["dependencies"]
    pending, seen = list(extras), set[str]()
    while pending:
        extra = pending.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in available:
            sys.exit(f"no extra {extra!r} in pyproject.toml; expected: {' '.join(available)}")
        for line in available[extra]:
            match = REQUIREMENT.match(line)
            if match is None:
                sys.exit(f"extra {extra!r} in pyproject.toml: cannot read {line!r}")
            if match["name"] == project["name"]:
                pending += re.findall(r"[\w.-]+", match["extras"] or "")
            elif match["name"].lower() in {"pillow", "pillow-simd"}:
                yield line.partition(";")[0].strip()
            else:
                yield line


if __name__ == "__main__":
    lines = requirements(Path(__file__).parents[1] / "pyproject.toml", sys.argv[1:])
    sys.stdout.writelines(f"{line}\n" for line in dict.fromkeys(lines))
