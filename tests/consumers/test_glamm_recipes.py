"""The code of docs/training.md runs: with stand-ins for what train.py has, and without torch."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.consumers

TRAIN_PY = """
from types import SimpleNamespace

args = SimpleNamespace(batch_size=2, use_mm_start_end=False)
tokenizer = None


def custom_collate_fn(examples, tokenizer, use_mm_start_end):
    return {"image_paths": [each[0] for each in examples], "inputs": [each[1] for each in examples]}

"""
"""What the first block takes from train.py."""
UTILS = """
CAPTION_QUESTIONS = ["Describe it."]
REGION_QUESTIONS = REGION_GROUP_QUESTIONS = ["Describe <region>."]
GCG_QUESTIONS = ["Describe and segment it."]
SEG_QUESTIONS = ["Segment {class_name}."]
ANSWER_LIST = ["[SEG]"]
"""
GROUNDED = """
class GCGBaseDataset:
    def __init__(self):
        self.begin_str = f"{DEFAULT_IMAGE_TOKEN} is the photo."
"""
EXPRESSION = """
class RefCocoRegDataset:
    def __init__(self):
        intro_string = DEFAULT_IMAGE_TOKEN + " is the photo."
        question_templates = ["<region>"]
"""
FILES = {
    "dataset/utils/utils.py": UTILS,
    "dataset/gcg_datasets/GranDf_gcg_ds.py": GROUNDED,
    "dataset/region_datasets/RefCOCO_VG_Region_ds.py": EXPRESSION,
}
"""A stand-in for a checkout of the reference."""
WITHOUT_TORCH = "import sys\n\nsys.modules['torch'] = None\n"


def blocks(shards: Path) -> list[str]:
    text = (REPOSITORY / "docs/training.md").read_text().replace("SHARDS", str(shards))
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(code: str, folder: Path) -> str:
    program = folder / "recipe.py"
    program.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program], cwd=folder, text=True, check=False,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_for_train_py(converted, tmp_path):
    pytest.importorskip("torch")
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    setup, step, _ = blocks(converted)
    check = "print(len(data_batch['image_paths']), data_batch['inputs'][0].dtype)\n"
    assert run(TRAIN_PY + setup + step + check, tmp_path) == "2 torch.bfloat16\n"


def test_the_recipe_without_torch(converted, tmp_path):
    *_, recipe = blocks(converted)
    output = run(WITHOUT_TORCH + recipe, tmp_path)
    assert "ASSISTANT:" in output
    assert "[SEG]" in output
