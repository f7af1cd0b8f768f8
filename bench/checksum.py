"""How fast are samples checked: XXH3 in the compiled reader, and in python-xxhash?

`python -m bench.checksum [--against FILE]` hashes 32 MB of samples of one size, in the processor's
cache and from memory. `--against` adds another build of `shards.load.reading._read`, such as one
with another release of xxHash.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import partial
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from bench.harness.command import Claim, Section, run
from bench.harness.measure import Ways

try:
    from shards.load.reading import _read
except ImportError:  # not compiled on this machine
    COMPILED = False
else:
    COMPILED = True

_SIZES = (4_096, 80_000, 1_000_000)
"""Bytes of a sample: annotations alone, a small photo, a large photo."""
_HASHED, _CACHED, _MEMORY = 32_000_000, 300_000, 400_000_000
"""Bytes that a call hashes; of samples that stay in the cache; of memory that no cache holds."""
_BATCH = 64
"""Samples that are checked in one call."""
READER, OTHER, PYTHON = "compiled reader", "other build", "python-xxhash"


def sections(typed: Namespace) -> Iterator[Section]:
    """A section for each size, in cache and from memory."""
    if not COMPILED:
        raise SystemExit("shards.load.reading._read is not compiled: see CONTRIBUTING.md")
    modules = {READER: _read}
    if typed.against is not None:
        modules[OTHER] = load_build(typed.against)
    data = memoryview(np.random.default_rng(0).bytes(_MEMORY))
    for size in _SIZES:
        count = _HASHED // size
        cached = np.arange(count) % max(1, _CACHED // size) * size
        scattered = np.random.default_rng(1).permutation(_MEMORY // size)[:count] * size
        for source, offsets in (("cache", cached), ("memory", scattered)):
            yield _section(
                f"{size:,} bytes a sample, 32 MB from {source}", modules, data, offsets, size
            )


def load_build(path: Path) -> Any:
    """A compiled module from its file."""
    spec = spec_from_file_location("_read", path, loader=ExtensionFileLoader("_read", str(path)))
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: expected a compiled module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _section(
    title: str, modules: dict[str, Any], data: memoryview, offsets: NDArray[np.int64], size: int
) -> Section:
    pieces = [data[start : start + size] for start in offsets.tolist()]
    checksums = np.array([xxh3_64_intdigest(piece) for piece in pieces], np.uint64)
    batches = [slice(first, first + _BATCH) for first in range(0, len(offsets), _BATCH)]

    def check(module: Any) -> int:
        valid = 0
        for batch in batches:
            starts = offsets[batch]
            files, sizes = [data] * len(starts), np.full(len(starts), size)
            valid += len(module.view(files, starts, sizes, checksums[batch]))
        return valid

    def check_in_python() -> int:
        valid = 0
        for batch in batches:
            samples = [data[start : start + size] for start in offsets[batch].tolist()]
            digests = [xxh3_64_intdigest(sample) for sample in samples]
            valid += len(samples) if digests == checksums[batch].tolist() else 0
        return valid

    ways: Ways = {
        **{name: partial(check, module) for name, module in modules.items()},
        PYTHON: check_in_python,
    }
    for name, way in ways.items():
        if way() != len(offsets):
            raise SystemExit(f"{title}: {name} computes another checksum than python-xxhash")
    return Section(title, ways, [Claim(READER, PYTHON), Claim(READER, OTHER)])


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of this benchmark."""
    parser.add_argument("--against", type=Path, help="another build of the compiled reader")


if __name__ == "__main__":
    run("checksum", sections, ("xxhash", "numpy"), arguments)
