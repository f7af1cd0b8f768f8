"""GLaMM training examples from stored samples, in the form its own dataset classes return them.

The reference is mbzuai-oryx/groundingLMM. `Examples` turns a sample of one source and a seed into
the ten-element tuple that `dataset.dataset.custom_collate_fn` unpacks. docs/training.md lists where
the result differs from the reference.
"""

from shards.errors import ExampleError
from shards.glamm.example import Example
from shards.glamm.examples import Examples, examples_for
from shards.glamm.plan import ExamplePlan
from shards.glamm.prompts import WORDING, Prompts
from shards.glamm.settings import Settings
from shards.glamm.sources import EXPANDS, SOURCES

__all__ = [
    "EXPANDS", "SOURCES", "WORDING", "Example", "ExampleError", "ExamplePlan", "Examples",
    "Prompts", "Settings", "examples_for",
]  # fmt: skip
