"""Texts that stand in a Python file, read without running it."""

import ast
from collections.abc import Sequence
from pathlib import Path

from shards.errors import LoadError
from shards.glamm.conversation import IMAGE

_KNOWN = {"DEFAULT_IMAGE_TOKEN": IMAGE}
"""Names of the reference's that stand for a text."""


def assigned(path: Path, class_: str, name: str) -> str | Sequence[str]:
    """The text, or texts, that a class's methods assign to a variable or attribute.

    Raises:
        LoadError: if the file, the class or the assignment is missing, or is not a text.
    """
    try:
        tree = ast.parse(path.read_text())
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: expected a file of the reference: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Assign) and name in map(_name, inner.targets):
                    return _value(inner.value, f"{path}: {class_}: {name}")
    raise LoadError(f"{path}: class {class_} assigns no {name}; is it the reference's?")


def _name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _value(node: ast.expr, where: str) -> str | list[str]:
    if isinstance(node, ast.List | ast.Tuple):
        return [_text(each, where) for each in node.elts]
    return _text(node, where)


def _text(node: ast.expr, where: str) -> str:
    """A string put together of strings and known names."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in _KNOWN:
            return _KNOWN[name]
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, where) for part in parts)
        case ast.FormattedValue(value=inner):
            return _text(inner, where)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, where) + _text(right, where)
    raise LoadError(f"{where}: expected a text, found {ast.unparse(node)}")
