"""The same samples in the formats of other loaders, each written by its own library."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.peers.loaders.data import OURS, members
from shards.layout import to_members
from shards.load.reading.index import SampleIndex
from shards.manifest import read_manifest

TARS, MDS, CHUNKS, LINKS, FILES = "webdataset", "streaming", "litdata", "wids", "files"
"""Folders of the formats; where a library writes one, it has the library's name."""


_TORCHVISION_STUBS: Mapping[str, Mapping[str, object]] = {
    "torchvision": {},
    "torchvision.transforms": {},
    "torchvision.transforms.functional": {"to_tensor": None},
    "torchvision.datasets": {"VisionDataset": object},
}


def write_formats(root: Path) -> None:
    """Write every format whose library is installed, next to ours."""
    for name, write in FORMATS.items():
        if name == FILES or find_spec(name) is not None:
            write(root, root / name)


def _write_tars(root: Path, folder: Path) -> None:
    import webdataset

    folder.mkdir()
    manifest = read_manifest(root / OURS)
    most = -(-manifest.samples // len(manifest.shards))
    with webdataset.ShardWriter(f"{folder}/%06d.tar", maxcount=most, verbose=0) as shards:
        for key, photo, annotations in members(root):
            shards.write({"__key__": key, "jpg": photo, "mp": annotations})


def import_streaming() -> Any:
    """MosaicML's library, also without torchvision.

    It imports two names of torchvision, for datasets that are not used here. No torchvision fits a
    torch that was built for the CPU only.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name, names in _TORCHVISION_STUBS.items():
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, None)
            vars(module).update(names)
            sys.modules[name] = module
    import streaming

    return streaming


def _write_mds(root: Path, folder: Path) -> None:
    MDSWriter = import_streaming().MDSWriter  # noqa: N806 - a class

    columns = {"key": "str", "jpg": "bytes", "mp": "bytes"}
    with MDSWriter(out=str(folder), columns=columns) as shards:
        for key, photo, annotations in members(root):
            shards.write({"key": key, "jpg": photo, "mp": annotations})


class _Read:
    """Returns the sample of a number; `litdata.optimize` calls it in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: SampleIndex | None = None

    def __call__(self, number: int) -> dict[str, object]:
        self._index = self._index or SampleIndex(self._folder)
        sample = self._index[number]
        (_, photo), (_, annotations) = to_members(sample)
        return {"key": sample.key, "jpg": photo, "mp": annotations}


def _write_chunks(root: Path, folder: Path) -> None:
    # It collects its chunks in a folder for all its jobs, and moves them when they are complete.
    os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = str(root / "litdata-cache")
    import litdata

    numbers = list(range(read_manifest(root / OURS).samples))
    litdata.optimize(
        fn=_Read(root / OURS),
        inputs=numbers,
        output_dir=str(folder),
        chunk_bytes="64MB",
        num_workers=1,
        verbose=False,
    )


def _write_links(root: Path, folder: Path) -> None:
    """Put shards where wids would copy them to, so that it copies none."""
    folder.mkdir()
    shutil.copy(root / OURS / "shardindex.json", folder)
    for tar in (root / OURS).glob("*.tar"):
        (folder / tar.name).hardlink_to(tar)


def _write_files(root: Path, folder: Path) -> None:
    folder.mkdir()
    for key, photo, annotations in members(root):
        (folder / f"{key}.jpg").write_bytes(photo)
        (folder / f"{key}.mp").write_bytes(annotations)


FORMATS: Mapping[str, Callable[[Path, Path], None]] = {
    TARS: _write_tars,
    MDS: _write_mds,
    CHUNKS: _write_chunks,
    LINKS: _write_links,
    FILES: _write_files,
}
