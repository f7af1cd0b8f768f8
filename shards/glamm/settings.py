"""Options of a training run. The defaults are the reference's."""

from dataclasses import dataclass
from typing import Literal, get_args

from shards.errors import LoadError

Precision = Literal["fp32", "fp16", "bf16"]
GroundingMode = Literal["task", "always", "never"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of the examples of a training run.

    Attributes:
        max_classes: expressions, objects or classes in one segmentation example.
        max_regions: boxes in one example about boxes.
        precision: of both encoders' inputs. `bf16` and `fp16` equal the `fp32` inputs cast to half
            precision, in half the memory.
        clip_side: side of the global encoder's input, in pixels.
        sam_side: side of the grounding encoder's input, in pixels.
        grounding: when to add the grounding encoder's input and masks: for tasks with masks, always
            (so that a batch may mix tasks), or never.
        skip_flags: flags of `classes.json`; classes with one of them are never asked for.
    """

    max_classes: int = 3
    max_regions: int = 10
    precision: Precision = "fp32"
    clip_side: int = 336
    sam_side: int = 1024
    grounding: GroundingMode = "task"
    skip_flags: tuple[str, ...] = ("skipped-by-reference",)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            LoadError: naming the field, its value and what is expected.
        """
        for name in ("max_classes", "max_regions", "clip_side", "sam_side"):
            if getattr(self, name) < 1:
                raise LoadError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name, known in (("precision", Precision), ("grounding", GroundingMode)):
            if getattr(self, name) not in get_args(known):
                raise LoadError(
                    f"{name} is {getattr(self, name)!r}; expected one of {get_args(known)}"
                )
