"""One training example: in numpy, and as the tuple of tensors that the reference's collate takes.

torch is imported only when a tuple is built, so everything else works without it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.glamm.normalisation import EncoderInput
from shards.glamm.settings import Precision


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training example, in numpy.

    Attributes:
        key: of the sample.
        clip: the global encoder's input, [3, side, side]; float32, or bits of bf16 in uint16.
        sam: the grounding encoder's input, of the same type, padded with zeros; None where the task
            does not use it.
        boxes: float32 [boxes, 4], x0 y0 x1 y1 as fractions of the photo's width and height.
        conversation: the training text.
        masks: uint8 [masks, height, width] of the stored size, 0 and 1.
        labels: int64 [height, width]; the label map, or 255 everywhere. The model reads only its
            shape.
        resized: height and width of the photo inside `sam`.
        questions: of the conversation, in order.
        names: of the objects asked for, or the answers.
    """

    key: str
    clip: EncoderInput
    sam: EncoderInput | None
    boxes: NDArray[np.float32] | None
    conversation: str
    masks: NDArray[np.uint8] | None
    labels: NDArray[np.int64] | None
    resized: tuple[int, int] | None
    questions: tuple[str, ...]
    names: tuple[str, ...]


def to_tuple(example: Example, precision: Precision = "fp32") -> tuple[Any, ...]:
    """The example as the reference's tuple. Tensors share its memory, except for fp16 inputs.

    Returns:
        (image_path, global_enc_image, grounding_enc_image, bboxes, conversations, masks, label,
        resize, questions, sampled_classes); the path is the sample's key.
    """
    return (
        example.key,
        _input_tensor(example.clip, precision),
        _input_tensor(example.sam, precision),
        _tensor(example.boxes),
        [example.conversation],
        _tensor(example.masks),
        _tensor(example.labels),
        example.resized,
        list(example.questions),
        list(example.names),
    )


def _input_tensor(values: EncoderInput | None, precision: Precision) -> Any:
    import torch

    if values is None:
        return None
    tensor = torch.from_numpy(values)
    if values.dtype == np.uint16:
        return tensor.view(torch.bfloat16)
    return tensor.half() if precision == "fp16" else tensor


def _tensor(array: np.ndarray | None) -> Any:
    import torch

    if array is None:
        return None
    if array.strides == (0, 0):  # a blank label map stays one value: only its shape is read
        return torch.tensor(array.flat[0].item()).expand(array.shape)
    return torch.from_numpy(array)
