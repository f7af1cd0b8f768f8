"""Write the manifest and the sample index of a split from its finished shards."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from convert.config.config import SourceConfig
from convert.job.scan import SplitPlan, planned_shards
from convert.sources.source import label_table
from shards.classes import CLASSES
from shards.errors import CorruptShardError
from shards.index.samples import SAMPLES
from shards.index.write import merge_rows
from shards.manifest import (
    MANIFEST,
    Manifest,
    ShardInfo,
    build_manifest,
    encode_json,
    read_info,
    read_manifest,
)
from shards.storage import hash_file, write_if_changed


def finish_split(  # noqa: PLR0913 - each has a name
    folder: Path,
    entry: SourceConfig,
    source: str,
    split: str,
    plan: SplitPlan,
    *,
    indexes: Sequence[str] = (),
) -> Manifest | None:
    """Write the manifest of a split and return it; None if a shard is not finished.

    Args:
        folder: of the split. If any shard changed, its old manifest and index are deleted already.
        entry: config of the source.
        source: name of the source.
        split: name of the split.
        plan: of the split.
        indexes: names of the index formats that the job writes.
    """
    names = planned_shards(source, split, plan)
    infos = [info for name in names if (info := read_info(folder / f"{name}.json"))]
    if len(infos) < len(names):
        return None
    _remove_others(folder, f"{source}-{split}-", set(names))
    table = label_table(entry.source)
    if table is not None:
        write_if_changed(folder / CLASSES, encode_json(table.classes))
    files = [SAMPLES] if table is None else [CLASSES, SAMPLES]
    hashes = _known_hashes(folder, files, infos)
    if not hashes:
        merge_rows(folder, infos)
        hashes = {name: hash_file(folder / name) for name in files}
    policy: dict[str, object] = msgspec.to_builtins(entry.options.image)
    manifest = build_manifest(source, split, plan.digest, policy, infos,
                       evaluated=plan.evaluated, files=hashes, indexes=indexes)  # fmt: skip
    write_if_changed(folder / MANIFEST, encode_json(manifest))
    return manifest


def _known_hashes(folder: Path, files: list[str], infos: Sequence[ShardInfo]) -> dict[str, str]:
    """Hashes of the files, if the manifest on disk still has the right ones; else nothing."""
    try:
        manifest = read_manifest(folder)
    except CorruptShardError:
        return {}
    same = manifest.shards == tuple(infos) and sorted(manifest.files) == files
    there = all((folder / name).is_file() for name in files)
    return dict(manifest.files) if same and there else {}


def _remove_others(folder: Path, prefix: str, planned: set[str]) -> None:
    """Delete the shards of an earlier, larger plan. The job has checked that this is allowed."""
    for path in sorted(folder.glob(f"{prefix}*")):
        name = path.name.partition(".")[0]
        if name not in planned and name.removeprefix(prefix).isdecimal():
            path.unlink(missing_ok=True)
