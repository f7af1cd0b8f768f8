"""Files that should be there and are not, and the reverse; index files against our own index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shards.errors import CorruptShardError
from shards.index import IndexFormat, Listing, Writer
from shards.index.registry import INDEX_FORMATS
from shards.index.write import index_files
from shards.manifest import MANIFEST, Manifest
from shards.verify.damage import difference
from shards.verify.finding import MOVE, OTHERS, Finding, index_again

_REFUSED = "rejects.jsonl"
_EVAL_PHOTOS = "eval-photos."


@dataclass(frozen=True, slots=True)
class OutputSplits:
    """What is known of the folders of an output.

    Attributes:
        manifests: folder of a split -> its manifest, where that is whole.
        listings: of the splits that are sound.
        broken: folders of the others, those with a whole manifest among them.
    """

    manifests: Mapping[Path, Manifest]
    listings: Sequence[Listing]
    broken: frozenset[Path]


def check_files(out: Path, splits: OutputSplits) -> Iterator[Finding]:
    """Files that should be there and are not, and the reverse; index files against our index.

    What is made of a broken split's rows cannot be judged: it is left alone.
    """
    expected = set[Path]()
    for folder, manifest in splits.manifests.items():
        names = [MANIFEST, *manifest.files]
        for info in manifest.shards:
            names += [f"{info.name}.tar", f"{info.name}.json", *info.files]
        expected |= {folder / name for name in names}
    for format_ in INDEX_FORMATS.values():
        there = {path for pattern in format_.patterns for path in out.glob(pattern)}
        if splits.broken:
            expected |= there
        if there or any(format_.name in m.indexes for m in splits.manifests.values()):
            yield from _check_format(out, format_, splits, there, expected)
    unknown = splits.broken - splits.manifests.keys()
    for path in sorted(out.rglob("*")):
        relative = path.relative_to(out)
        ours = len(relative.parts) == 1 and relative.name.startswith(_EVAL_PHOTOS)
        refused = len(relative.parts) == 2 and relative.name == _REFUSED  # noqa: PLR2004
        # A job at work, what a killed one left for the next to sweep, a desktop's own.
        hidden = any(part.startswith(".") for part in relative.parts)
        known = path in expected or not unknown.isdisjoint(path.parents)
        if path.is_file() and not (known or ours or refused or hidden):
            yield Finding(str(relative), "nobody has written it here", MOVE)


def _check_format(
    out: Path, format_: IndexFormat, splits: OutputSplits, there: set[Path], expected: set[Path]
) -> Iterator[Finding]:
    """All files of a format that is there, or was, as they would be written now."""
    sources: dict[str, dict[str, Listing]] = {}
    for listing in splits.listings:
        sources.setdefault(listing.manifest.source, {})[listing.manifest.split] = listing
    affected = {above for folder in splits.broken for above in folder.parents}
    try:
        for folder, files in index_files(out, format_, sources, shards=True):
            if folder not in affected:
                expected |= {folder / name for name in files}
                for name, content in files.items():
                    yield from _compare(out, folder / name, content, format_.name)
    except CorruptShardError as error:
        expected |= there
        yield Finding(".", f"no {format_.name} index can be compared: {error}", OTHERS)


def _compare(out: Path, path: Path, content: bytes | Writer, format_: str) -> Iterator[Finding]:
    name, again = str(path.relative_to(out)), index_again(out, format_)
    if not path.is_file():
        yield Finding(name, "is missing", again)
        return
    try:
        place = difference(path, content)
    except CorruptShardError as error:
        yield Finding(name, f"cannot be compared: {error}", OTHERS)
        return
    if place is not None:
        problem = f"is not what {format_} would be for these shards"
        yield Finding(name, problem, again, place)
