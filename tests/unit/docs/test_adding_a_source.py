"""The example in docs/adding-a-source.md works as printed."""

import importlib.util
import re
import sys

import pytest
from PIL import Image

from convert.run import run
from convert.sources.annotations.registry import LAYOUTS
from shards.layout import read_split
from tests.conftest import REPOSITORY

CONFIG = """
sources:
  vizwiz:
    kind: annotation_files
    layout: captions_csv
    annotations: {train: [csv/train.csv]}
    photos: {train: [csv/photos]}
  plain:
    kind: annotation_files
    layout: captions
    annotations: {train: [nowhere.json]}
    photos: {train: [nowhere]}
"""


@pytest.fixture
def layout(tmp_path, monkeypatch):
    text = (REPOSITORY / "docs/adding-a-source.md").read_text()
    code = re.search(r"```python\n(\"\"\"Captions in a CSV.*?)```", text, re.DOTALL)
    assert code
    path = tmp_path / "captions_csv_of_the_docs.py"
    path.write_text(code[1])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module.CAPTIONS_CSV


def test_it_converts(layout, tmp_path, monkeypatch):
    monkeypatch.setitem(LAYOUTS, "captions_csv", layout)
    root = tmp_path / "data"
    (root / "csv/photos").mkdir(parents=True)
    for name in ("one.jpg", "two.jpg"):
        Image.new("RGB", (64, 48), (90, 120, 150)).save(root / "csv/photos" / name)
    rows = 'file,caption\none.jpg,"A dog, asleep."\ntwo.jpg,A cat.\none.jpg,Two words\n'
    (root / "csv/train.csv").write_text(rows)
    config, out = tmp_path / "config.yaml", tmp_path / "out"
    config.write_text(CONFIG)
    assert run(source=["vizwiz"], workers=0, root=root, out=out, config=config) == 0
    samples = {sample.key: sample.captions for sample in read_split(out / "vizwiz/train")}
    assert samples == {
        "vizwiz-one": ("A dog, asleep.", "Two words"),
        "vizwiz-two": ("A cat.",),
    }
