"""The example in docs/adding-an-index.md and its test work as printed."""

import re
import sys
import types

import pytest

from tests.conftest import REPOSITORY

PATH = REPOSITORY / "docs/adding-an-index.md"


@pytest.fixture
def blocks():
    return re.findall(r"```python\n(.*?)```", PATH.read_text(), re.DOTALL)


def execute(name, code):
    module = types.ModuleType(name)
    exec(compile(code, PATH, "exec"), module.__dict__)  # noqa: S102 - our own documentation
    return module


def test_the_example(blocks, converted, tmp_path, monkeypatch):
    example, test = blocks
    name = "shards.index.open_clip"
    monkeypatch.setitem(sys.modules, name, execute(name, example))
    execute("test", test).test_every_sample_is_counted(converted, tmp_path)
