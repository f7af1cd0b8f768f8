"""The names of `from shards import ...`: all resolve lazily, and their examples run."""

import ast
import doctest
import importlib
import inspect
import os
import pydoc
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import shards

REPOSITORY = Path(__file__).parents[3]
NAMES = [name for name in shards.__all__ if name != "__version__"]
ERROR = "raised by functions that have examples of their own"
NEEDS_DATA = "needs a split with an index and many samples: tests/e2e/test_loader.py"
WITHOUT_EXAMPLE = {
    **{name: ERROR for name in NAMES if name.endswith("Error")},
    **dict.fromkeys(
        ["Loader", "LoaderOptions", "Mixture", "MixtureDataset", "PixelBatch", "Pixels",
         "RawBatch", "RawSample", "SampleIndex", "Selection", "Split", "all_masks", "no_masks"],
        NEEDS_DATA,
    ),
}  # fmt: skip
"""Name -> why it may lack an example."""


def in_new_process(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
HEAVY = {"torch", "ray", "pyarrow", "PIL", "numpy", "msgspec", "simplejpeg", "convert"}


def test_importing_the_package_loads_no_library() -> None:
    loaded = set(in_new_process(f"import shards; dir(shards); {LOADED}"))
    assert "shards" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", ["Sample", "ShardWriter", "read_split", "Loader", "Mixture"])
def test_a_name_loads_no_heavy_library(name) -> None:
    loaded = set(in_new_process(f"from shards import {name}; {LOADED}"))
    assert not loaded & {"torch", "ray", "PIL", "simplejpeg", "convert"}


@pytest.mark.parametrize("name", NAMES)
def test_each_name_resolves_and_has_a_docstring(name) -> None:
    value = getattr(shards, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)
    module = importlib.import_module(f"shards.{shards._MODULE_OF[name]}")
    assert value.__module__ == module.__name__


@pytest.mark.parametrize("name", NAMES)
def test_each_example_runs(name) -> None:
    value = getattr(shards, name)
    module = sys.modules[value.__module__]
    found = doctest.DocTestFinder(recurse=False).find(value, name, globs=dict(vars(module)))
    examples = [test for test in found if test.examples]
    assert examples or WITHOUT_EXAMPLE.get(name)
    for example in examples:
        assert doctest.DocTestRunner().run(example).failed == 0


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(shards.__file__).read_text())
    imported = {
        alias.name: (node.module or "").removeprefix("shards.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shards.")
        for alias in node.names
    }
    assert imported == shards._MODULE_OF
    assert sorted(shards.__all__) == sorted({*imported, "__version__"})


def test_every_error_class_is_public() -> None:
    errors = vars(importlib.import_module("shards.errors"))
    assert {name for name, value in errors.items() if inspect.isclass(value)} <= set(NAMES)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'shards' has no attribute 'Sampel'"):
        getattr(shards, "Sampel")  # noqa: B009 - type checkers refuse the attribute
    with pytest.raises(ImportError, match="Sampel"):
        exec("from shards import Sampel")  # noqa: S102 - and the import


def test_help_lists_the_public_names() -> None:
    text = pydoc.plain(pydoc.render_doc(shards))
    for name in NAMES:
        assert f"\n    class {name}" in text or f"\n    {name}(" in text


def test_a_checkout_that_is_not_installed_has_a_version(monkeypatch) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", not_installed)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert shards._version() == project["version"]
