"""How many files does one photo pass through, and how full are the folders?

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
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_PACKAGES = ("convert", "shards")
_MAKE, _TRANSFORM, _ITERATE = "ShardMaker.__call__", "transform", "Loader.__iter__"
"""Where each walk begins; a walk ends when that function returns."""
_CASES = {
    "refcoco": "photo and masks",
    "ade20k": "photo and label map",
    "grand_caption": "photo scaled down",
}
"""Source -> what its sample has; `transform` is followed for one photo of each."""


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
    """Measure, and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--files", action="store_true", help="name the files of both walks")
    typed = parser.parse_args()
    tree = typed.tree.resolve()
    sys.path.insert(0, str(tree))
    os.chdir(tree)
    _say("modules", "folder")
    for folder, count in count_modules(tree):
        _say(f"{count:7}", folder)
    with tempfile.TemporaryDirectory() as scratch:
        draw(Path(scratch))
        _say("files  functions", "way")
        for name, walk in follow_both(tree, Path(scratch)).items():
            _say(f"{len(walk.files):5}  {len(walk.functions):9}", name)
            for path in sorted(walk.files) if typed.files else ():
                _say("                ", path)
        _say("entries", "modules that transform(photo) enters more than once")
        for name, walk in follow_transform(tree, Path(scratch)).items():
            twice = {path: n for path, n in walk.entries.items() if n > 1}
            said = ", ".join(f"{path} {n}" for path, n in sorted(twice.items())) or "none"
            _say(f"{walk.entries.total():7}", f"{name}: {said}")


def _say(*cells: str) -> None:
    sys.stdout.write("  ".join(cells) + "\n")


def count_modules(tree: Path) -> Iterator[tuple[str, int]]:
    """(folder, Python files directly in it) of both packages."""
    for package in _PACKAGES:
        folders = Counter(path.parent.relative_to(tree) for path in (tree / package).rglob("*.py"))
        for folder, count in sorted(folders.items()):
            yield str(folder), count


def draw(scratch: Path) -> None:
    """Draw a miniature of all sources below a folder."""
    _run("convert.demo.__main__", ["--root", str(scratch / "data"), "--images", "4"])


def convert(scratch: Path, source: str) -> Path:
    """Convert one photo per split of a source anew, in this process; the folder of its train."""
    out = Path(tempfile.mkdtemp(dir=scratch))
    arguments = ["--source", source, "--split", "train", "--limit", "1", "--workers", "0"]
    _run("convert.run", [*arguments, "--root", str(scratch / "data"), "--out", str(out)])
    return out / source / "train"


def _run(module: str, arguments: list[str]) -> None:
    """Run one of the project's commands in this process, and keep what it says to itself."""
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
    there, back = Tracer(tree, _MAKE), Tracer(tree, _ITERATE)
    shards: list[Path] = []
    there.watch(lambda: shards.append(convert(scratch, "refcoco")))
    loader: Any = open_loader(shards[0])
    list(loader)  # the second epoch is traced: all files are then in the page cache
    back.watch(lambda: list(loader))
    return {"item to tar": there.walks[0], "tar to batch": back.walks[0]}


def open_loader(shards: Path) -> Any:
    """A loader of one photo with its masks; older checkouts have none without torch."""
    face: Any = import_module("shards")
    if hasattr(face, "Loader"):
        return face.Loader(shards, 1, masks=face.all_masks)
    torch: Any = import_module("shards.load.torch")
    return torch.ShardLoader(shards, 1, masks=torch.all_masks)


def follow_transform(tree: Path, scratch: Path) -> dict[str, Walk]:
    """What is in the photo -> the walk of one call of `transform`."""
    found: dict[str, Walk] = {}
    for source, name in _CASES.items():
        tracer = Tracer(tree, _TRANSFORM)
        tracer.watch(lambda source=source: convert(scratch, source))  # type: ignore[misc]
        found[name] = tracer.walks[0]
    return found


if __name__ == "__main__":
    main()
