#!/usr/bin/env python3
"""Print what pyproject.toml requires for the extras named as arguments, one requirement per line.

The extras' references to each other (`glamm-shards[view]`) are followed. Markers stay: pip judges
them. Pillow's two distributions are printed without theirs: which one is installed is a choice.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?(?P<rest>.*)")


def requirements(pyproject: Path, extras: Sequence[str]) -> Iterator[str]:
    """Yield the base requirements, then those of the extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    offered = project["optional-dependencies"]
    yield from project["dependencies"]
    pending, seen = list(extras), set[str]()
    while pending:
        extra = pending.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in offered:
            sys.exit(f"no extra {extra!r} in pyproject.toml; there are: {' '.join(offered)}")
        for line in offered[extra]:
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
    found = requirements(Path(__file__).parents[1] / "pyproject.toml", sys.argv[1:])
    sys.stdout.writelines(f"{line}\n" for line in dict.fromkeys(found))
