"""What a training run may set about its examples. The defaults are the reference's."""

from dataclasses import dataclass
from typing import Literal, get_args

from shards.errors import LoadError

Precision = Literal["fp32", "fp16", "bf16"]
Grounding = Literal["task", "always", "never"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How examples are made.

    Attributes:
        classes: expressions, objects or classes of a photo in one segmentation example, at most.
        regions: of a photo in one example about boxes, at most.
        precision: of both encoders' inputs. Half of it is what a run in half precision makes of
            `fp32` itself, at half the memory.
        clip_side: of the global encoder's input, in pixels.
        sam_side: of the grounding encoder's input, in pixels.
        grounding: whether that input, and masks, are made: where the task has masks, always (so
            that batches may mix tasks), or never.
        skipped: flags of `classes.json`; a class that has one of them is never asked for.
    """

    classes: int = 3
    regions: int = 10
    precision: Precision = "fp32"
    clip_side: int = 336
    sam_side: int = 1024
    grounding: Grounding = "task"
    skipped: tuple[str, ...] = ("skipped-by-reference",)

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            LoadError: naming the value.
        """
        for name in ("classes", "regions", "clip_side", "sam_side"):
            if getattr(self, name) < 1:
                raise LoadError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name, known in (("precision", Precision), ("grounding", Grounding)):
            if getattr(self, name) not in get_args(known):
                raise LoadError(
                    f"{name} is {getattr(self, name)!r}; expected one of {get_args(known)}"
                )
