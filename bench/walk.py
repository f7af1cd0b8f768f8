"""How many files run for one photo, and how many modules does each folder hold?

`python -m bench.walk [--tree CHECKOUT]` follows one photo from an item to its tar and from the tar
to a decoded batch with `sys.setprofile`, and counts the files and functions of this project that
run. It also follows `transform(photo)` for several kinds of photo, and counts how often control
enters each module from another one. `--tree` measures another checkout, such as an older one.
"""

import contextlib
import io
import os
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from PIL import Image

_PACKAGES = ("convert", "shards")
_MAKE, _TRANSFORM, _ITERATE = "ShardMaker.__call__", "transform", "Loader.__iter__"
"""Where each walk begins; a walk ends when that function returns."""
_EXIF_ORIENTATION = 0x0112


def _encode(
    photo: bytes, kind: str = "JPEG", *, mode: str = "RGB", orientation: int = 1, **options: object
) -> bytes:
    """Encode a photo as another kind of file; its upright size stays."""
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = orientation
    image = Image.open(io.BytesIO(photo)).convert(mode)
    if orientation == 6:  # noqa: PLR2004 - EXIF's "rotate by 270 degrees"
        image = image.transpose(Image.Transpose.ROTATE_90)
    out = io.BytesIO()
    image.save(out, kind, exif=exif, **options)
    return out.getvalue()


def _damage_metadata(photo: bytes) -> bytes:
    """Put bytes that belong to no segment in front of the first one."""
    return photo[:2] + b"junk" + photo[2:]


Rewrite = Callable[[bytes], bytes]
_CASES: dict[str, tuple[str, Rewrite | None]] = {
    "photo and masks": ("refcoco", None),
    "photo and label map": ("ade20k", None),
    "photo scaled down": ("grand_caption", None),
    "photo and filters": ("refcoco_region", None),
    "progressive photo": ("refcoco", partial(_encode, progressive=True)),
    "gray photo": ("refcoco", partial(_encode, mode="L")),
    "CMYK photo": ("refcoco", partial(_encode, mode="CMYK")),
    "PNG": ("refcoco", partial(_encode, kind="PNG")),
    "EXIF orientation": ("refcoco", partial(_encode, orientation=6)),
    "damaged metadata": ("refcoco", _damage_metadata),
    "damaged metadata, scaled down": ("grand_caption", _damage_metadata),
}
"""Kind of photo -> a source that has it, and how to make it from a photo that the source has;
`transform` is followed for one photo of each kind."""


@dataclass(slots=True)
class Walk:
    """What ran between the call of one function and its return.

    Attributes:
        files: paths below the tree.
        functions: (path, qualified name); comprehensions and lambdas are part of their function.
        entries: path -> times that control came in from another file.
    """

    files: set[str] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    entries: Counter[str] = field(default_factory=Counter)


class Tracer:
    """Follows calls below a tree, from the call of one function to its return."""

    def __init__(self, tree: Path, start: str) -> None:
        """Watch nothing yet.

        Args:
            tree: a checkout; only files of its packages count.
            start: qualified name of the function with which a walk begins.
        """
        self._roots = tuple(f"{tree / package}{os.sep}" for package in _PACKAGES)
        self._tree, self._start = f"{tree}{os.sep}", start
        self._begun: FrameType | None = None
        self.walks: list[Walk] = []

    def watch(self, call: Callable[[], object]) -> None:
        """Call a function and record every walk in it, in all threads that it starts."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        try:
            call()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _see(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        ours = code.co_filename.startswith(self._roots) and code.co_name != "<module>"
        if event == "call" and ours:
            if self._begun is None and code.co_qualname == self._start:
                self._begun = frame
                self.walks.append(Walk())
            if self._begun is not None:
                self._record(frame, code)
        elif event == "return" and frame is self._begun:
            self._begun = None

    def _record(self, frame: FrameType, code: CodeType) -> None:
        walk, path = self.walks[-1], code.co_filename.removeprefix(self._tree)
        walk.files.add(path)
        if not code.co_name.startswith("<"):
            walk.functions.add((path, code.co_qualname))
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(self._roots):
            caller = caller.f_back
        if caller is None or caller.f_code.co_filename != code.co_filename:
            walk.entries[path] += 1


def main() -> None:
    """Measure, and print the tables."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--files", action="store_true", help="name the files of both walks")
    typed = parser.parse_args()
    tree = typed.tree.resolve()
    sys.path.insert(0, str(tree))
    os.chdir(tree)
    _print("modules", "folder")
    for folder, count in count_modules(tree):
        _print(f"{count:7}", folder)
    with tempfile.TemporaryDirectory() as scratch:
        _print("files  functions", "way")
        for name, walk in follow_both(tree, Path(scratch)).items():
            _print(f"{len(walk.files):5}  {len(walk.functions):9}", name)
            for path in sorted(walk.files) if typed.files else ():
                _print("                ", path)
        _print("entries", "modules that transform(photo) enters more than once")
        for name, walk in follow_transform(tree, Path(scratch)):
            repeated = [f"{path} {n}" for path, n in sorted(walk.entries.items()) if n > 1]
            _print(f"{walk.entries.total():7}", f"{name}: {', '.join(repeated) or 'none'}")


def _print(*cells: str) -> None:
    sys.stdout.write("  ".join(cells) + "\n")


def count_modules(tree: Path) -> Iterator[tuple[str, int]]:
    """(folder, Python files directly in it) of both packages."""
    for package in _PACKAGES:
        folders = Counter(path.parent.relative_to(tree) for path in (tree / package).rglob("*.py"))
        for folder, count in sorted(folders.items()):
            yield str(folder), count


def draw(scratch: Path, source: str, rewrite: Rewrite | None = None) -> Path:
    """Draw a miniature of a source, each of its JPEGs rewritten; its folder."""
    root = Path(tempfile.mkdtemp(dir=scratch))
    _run("convert.demo.__main__", ["--root", str(root), "--images", "4", "--source", source])
    for path in root.rglob("*.jpg"):
        photo = path.read_bytes()
        if rewrite is not None and photo.startswith(b"\xff\xd8"):  # some are drawn as other files
            path.write_bytes(rewrite(photo))
    return root


def convert(root: Path, source: str) -> Path:
    """Convert one photo of a source in this process; the folder of its train split."""
    out = Path(tempfile.mkdtemp(dir=root.parent))
    arguments = ["--source", source, "--split", "train", "--limit", "1", "--workers", "0"]
    _run("convert.run", [*arguments, "--root", str(root), "--out", str(out)])
    return out / source / "train"


def _run(module: str, arguments: list[str]) -> None:
    """Run one of the project's commands in this process without its output."""
    app: Any = import_module(module).app
    silence = io.StringIO()
    with (
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
        contextlib.suppress(SystemExit),
    ):
        app(arguments)


def follow_both(tree: Path, scratch: Path) -> dict[str, Walk]:
    """The walk of one RefCOCO photo from its item to the tar, and on to a batch of pixels."""
    writing, reading = Tracer(tree, _MAKE), Tracer(tree, _ITERATE)
    root = draw(scratch, "refcoco")
    shards: list[Path] = []
    writing.watch(lambda: shards.append(convert(root, "refcoco")))
    loader: Any = open_loader(shards[0])
    reading.watch(lambda: list(loader))
    return {"item to tar": writing.walks[0], "tar to batch": reading.walks[0]}


def open_loader(shards: Path) -> Any:
    """A loader of one photo with its masks; older checkouts have none without torch."""
    face: Any = import_module("shards")
    if hasattr(face, "Loader"):
        return face.Loader(shards, 1, masks=face.all_masks)
    torch: Any = import_module("shards.load.torch")
    return torch.ShardLoader(shards, 1, masks=torch.all_masks)


def follow_transform(tree: Path, scratch: Path) -> Iterator[tuple[str, Walk]]:
    """(kind of photo, the walk of one call of `transform`)."""
    for name, (source, rewrite) in _CASES.items():
        root = draw(scratch, source, rewrite)
        tracer = Tracer(tree, _TRANSFORM)
        tracer.watch(partial(convert, root, source))
        yield name, tracer.walks[0]


if __name__ == "__main__":
    main()
