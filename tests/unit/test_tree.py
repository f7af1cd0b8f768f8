"""The tree keeps to its limits: folders, files, functions, names, prose.

CONTRIBUTING.md gives the reasons. A limit that something has to exceed is listed here with the
reason; an entry that is no longer needed fails as well.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = "convert", "shards", "bench"
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
"""Every Python file that is not a test."""
GENERATED = {"docs/benchmarks.md"}
"""Pages that a program writes."""
DOCUMENTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "third_party/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.relative_to(ROOT).as_posix() not in GENERATED
]

MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES, MOST_LETTERS = 20, 400, 40, 120
LONG_FUNCTIONS: dict[str, str] = {}
"""path:qualified name -> why the function is longer than the limit."""
BANNED = {"common", "handler", "helper", "helpers", "manager", "misc", "processor", "util", "utils"}
"""Module names that do not name a subject."""
SHARED_NAMES: dict[str, str] = {}
"""Class or type alias -> why several modules define one of that name."""
NO_PACKAGE = {"bench", "ci", "docs"}
"""Folders of tests/unit that test something other than a package that is installed."""
EXAMPLES = {"bench.NAME", "shards.index.open_clip"}
"""Modules in the documentation that do not exist."""
HISTORY = ROOT / "CHANGELOG.md"
"""Names modules of earlier versions."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_folders_hold_few_modules() -> None:
    """At most 20 Python files besides `__init__.py`."""
    counts: dict[str, int] = defaultdict(int)
    for path in MODULES:
        counts[relative(path.parent)] += path.name != "__init__.py"
    assert {folder: n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_files_are_short() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}


def functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """(path:qualified name, function) of all functions below a node."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{'' if prefix.endswith(':') else '.'}{child.name}"
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, child
        yield from functions(child, name)


def test_functions_are_short() -> None:
    """At most 40 lines from `def` to the end, docstring included; decorators do not count."""
    long = {
        name: function.end_lineno - function.lineno + 1
        for path in MODULES
        for name, function in functions(ast.parse(path.read_text()), f"{relative(path)}:")
        if function.end_lineno is not None
        and function.end_lineno - function.lineno >= MOST_FUNCTION_LINES
    }
    assert {name: n for name, n in long.items() if name not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() - long.keys() == set(), "these are short now: remove them"


def test_modules_are_named_after_a_subject() -> None:
    names = {path: {path.stem, *path.relative_to(ROOT).parts[:-1]} for path in MODULES}
    assert [relative(path) for path, parts in names.items() if parts & BANNED] == []


def public_types(module: ast.Module) -> Iterator[str]:
    """Names of classes and type aliases that a module defines and that are not private."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                if "TypeAlias" in ast.unparse(annotation):
                    yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                # CamelCase is a type alias or a type that is made by a call, such as TypeVar
                if re.fullmatch(r"[A-Z]+[a-z]\w*", name):
                    yield name
            case _:
                pass


def test_a_class_name_has_one_meaning() -> None:
    definitions: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] == "bench":
            continue  # a benchmark may name its own thing like what it measures
        for name in public_types(ast.parse(path.read_text())):
            if not name.startswith("_"):
                definitions[name].append(relative(path))
    shared = {name: paths for name, paths in definitions.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED_NAMES} == {}
    assert SHARED_NAMES.keys() - shared.keys() == set(), "these are defined once now: remove them"


def subject_exists(test: Path) -> bool:
    """Whether the folder of a unit test has what the test's name begins with, or is that itself."""
    folder = ROOT / test.parent.relative_to(ROOT / "tests" / "unit")
    subjects = {path.stem for path in folder.glob("*.py")} | {folder.name}
    subjects |= {path.parent.name for path in folder.glob("*/__init__.py")}
    name = test.stem.removeprefix("test_")
    return any(name == subject or name.startswith(f"{subject}_") for subject in subjects)


def test_unit_tests_mirror_the_packages() -> None:
    """tests/unit/a/b/test_NAME.py or test_NAME_SUFFIX.py tests a/b/NAME.py, a/b/NAME/ or a/b/."""
    unit = ROOT / "tests" / "unit"
    nested = (path for path in sorted(unit.rglob("test_*.py")) if path.parent != unit)
    tests = [path for path in nested if path.relative_to(unit).parts[0] not in NO_PACKAGE]
    assert len(tests) > 30
    assert [relative(path) for path in tests if not subject_exists(path)] == []


def module_exists(name: str) -> bool:
    """Whether a dotted name is a module, or a word in the module that it begins with."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        files = [path.with_suffix(".py"), path.with_suffix(".c"), path / "__init__.py"]
        existing = [file for file in files if file.exists()]
        if existing or path.is_dir():
            words = re.findall(r"\w+", "".join(file.read_text() for file in existing))
            return all(part in words for part in parts[count : count + 1])
    return False


def test_modules_that_are_named_exist() -> None:
    """In backticks or after `python -m`."""
    pattern = re.compile(r"(?:`|python -m )((?:convert|shards|bench)(?:\.[A-Za-z_]\w*)+)")
    missing = [
        (relative(path), name)
        for path in (*MODULES, *DOCUMENTS)
        if path != HISTORY
        for name in pattern.findall(path.read_text("utf-8"))
        if name not in EXAMPLES and not module_exists(name)
    ]
    assert missing == []


def long_prose(text: str) -> Iterator[int]:
    """Numbers of the lines of prose that are longer than 120 characters.

    Code blocks and rows of tables may be longer. URLs do not count.
    """
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.lstrip()
        if stripped.startswith(("```", "~~~")):
            fenced = not fenced
            continue
        without_urls = re.sub(r"<?https?://[^\s)>]+>?", "", line)
        if not fenced and not stripped.startswith("|") and len(without_urls) > MOST_LETTERS:
            yield number


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_lines_of_prose_are_short(path: Path) -> None:
    assert list(long_prose(path.read_text(encoding="utf-8"))) == []


def test_what_counts_as_prose() -> None:
    long = "x" * 121
    table, fence = f"| {long} |", f"```\n{long}\n```"
    url = f"See [this](https://{long})."
    assert list(long_prose("\n".join([long, table, fence, url, f"  {long}"]))) == [1, 7]
