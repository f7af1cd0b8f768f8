"""Samples without pixels, and the plans of their examples."""

from typing import Any

from shards.classes import ClassInfo
from shards.glamm import ExamplePlan, Examples, Settings
from shards.glamm.sources import ExampleTask
from shards.sample import Box, EncodedImage, Region, Rle, Sample, Size, Span

SIZE = Size(4, 6)
MASKS = [Rle(SIZE, bytes([48 + n])) for n in range(4)]
CLASSES = (
    ClassInfo(0, "Wall"),
    ClassInfo(3, "Sky"),
    ClassInfo(9, "tree-other", ("skipped-by-reference",)),
)


def make_sample(source: str = "any", **annotations: Any) -> Sample:
    return Sample(f"{source}-1", EncodedImage(b"", "jpg", SIZE), SIZE, **annotations)


def make_region(
    *span: int, mask: Rle | None = None, box: Box | None = None, name: str = "it"
) -> Region:
    """A region with one span: caption, start, stop."""
    return Region((name,), box, mask, (Span(*span),))


def plan_of(
    task: ExampleTask, sample: Sample, seed: int = 0, item_index: int | None = None, **settings: Any
) -> ExamplePlan:
    examples = Examples("any", Settings(**settings), task=task, classes=CLASSES)
    return examples.plan(sample, seed, item_index)
