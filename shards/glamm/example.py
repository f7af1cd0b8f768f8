"""One training example, in numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.glamm.normal import Values


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What the reference's reader gives, before torch is asked.

    Attributes:
        key: of the sample.
        clip: the global encoder's input, [3, side, side]; float32, or bits of bf16 in uint16.
        sam: the grounding encoder's, of the same type, zeros right of and below the photo; None
            where the task has no use for it.
        boxes: float32 [boxes, 4], x0 y0 x1 y1 as shares of the photo's width and height.
        conversation: the text.
        masks: uint8 [masks, height, width] of the stored size, 0 and 1.
        labels: int64 [height, width]; the label map, or 255 all over. The model reads its shape.
        resized: height and width of the photo inside `sam`.
        questions: asked, in order.
        names: of what is asked for, or the answers.
    """

    key: str
    clip: Values
    sam: Values | None
    boxes: NDArray[np.float32] | None
    conversation: str
    masks: NDArray[np.uint8] | None
    labels: NDArray[np.int64] | None
    resized: tuple[int, int] | None
    questions: tuple[str, ...]
    names: tuple[str, ...]
