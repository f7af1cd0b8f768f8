"""Compiled modules: each is declared, described by a stub, and imported in one way."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [
    path for package in ("convert", "shards") for path in sorted((ROOT / package).rglob("*.c"))
]
COMPILED = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
"""Module -> its C file."""
IDIOM = """try:
    from {package} import {name}
except ImportError:
    COMPILED = False
else:
    COMPILED = True"""


def test_every_c_file_is_an_extension() -> None:
    """`setup.py` declares each by its module name: `compiled("shards.rle._rle")`."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    declared = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "compiled"
    ]
    assert sorted(declared) == sorted(COMPILED)
    assert len(COMPILED) >= 5


@pytest.mark.parametrize("module", COMPILED)
def test_a_c_file_names_itself(module: str) -> None:
    name, code = module.rpartition(".")[2], COMPILED[module].read_text()
    assert set(re.findall(r"\bPyInit_(\w+)", code)) == {name}
    [defined] = re.findall(r'PyModuleDef_HEAD_INIT,\s*(?:\.m_name\s*=\s*)?"([^"]+)"', code)
    assert defined in {name, module}


@pytest.mark.parametrize("module", COMPILED)
def test_the_stub_has_every_function(module: str) -> None:
    """And no other."""
    code, stub = COMPILED[module].read_text(), COMPILED[module].with_suffix(".pyi")
    functions = {
        node.name for node in ast.parse(stub.read_text()).body if isinstance(node, ast.FunctionDef)
    }
    assert set(re.findall(r'\{"(\w+)",\s*(?:\(PyCFunction\))?\w+,\s*METH_', code)) == functions


def imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """(statement of the module, compiled module) for each import of one, however it is nested."""
    for statement in tree.body:
        for node in ast.walk(statement):
            match node:
                case ast.ImportFrom(module=str(package), names=names):
                    modules = [f"{package}.{each.name}" for each in names]
                case ast.Import(names=names):
                    modules = [each.name for each in names]
                case ast.Constant(value=str(text)):
                    modules = [text]  # `import_module` takes it
                case _:
                    continue
            yield from ((statement, module) for module in modules if module in COMPILED)


def test_every_import_uses_the_one_idiom() -> None:
    other = []
    for package in ("convert", "shards", "bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for statement, module in imports(ast.parse(path.read_text())):
                parent, _, name = module.rpartition(".")
                if ast.unparse(statement) != IDIOM.format(package=parent, name=name):
                    other.append(f"{path.relative_to(ROOT)}:{statement.lineno} {module}")
    assert other == []
