"""Stored samples as GLaMM's training examples: what its own reader hands to its own collate.

The reference is mbzuai-oryx/groundingLMM. `Examples` turns a sample of one source and a seed into
the ten things that `dataset.dataset.custom_collate_fn` unpacks; docs/training.md says what differs.
"""

from shards.errors import ExampleError
from shards.glamm.example import Example
from shards.glamm.examples import Examples
from shards.glamm.of_data import examples_for
from shards.glamm.prompts import Prompts
from shards.glamm.settings import Settings
from shards.glamm.sources import EXPANDS, SOURCES
from shards.glamm.wording import WORDING

__all__ = [
    "EXPANDS", "SOURCES", "WORDING", "Example", "ExampleError", "Examples", "Prompts", "Settings",
    "examples_for",
]  # fmt: skip
