"""An example as the ten things that the reference's collate unpacks: all that needs torch.

torch is imported when it is called, so that everything else runs and is tested without it.
"""

from typing import Any

import numpy as np

from shards.glamm.example import Example
from shards.glamm.normal import Values
from shards.glamm.settings import Precision


def to_tuple(example: Example, precision: Precision = "fp32") -> tuple[Any, ...]:
    """The reference's tuple. Tensors share the example's memory, but for inputs in fp16.

    Returns:
        (image_path, global_enc_image, grounding_enc_image, bboxes, conversations, masks, label,
        resize, questions, sampled_classes); the path is the sample's key.
    """
    return (
        example.key,
        _input(example.clip, precision),
        _input(example.sam, precision),
        _tensor(example.boxes),
        [example.conversation],
        _tensor(example.masks),
        _tensor(example.labels),
        example.resized,
        list(example.questions),
        list(example.names),
    )


def _input(values: Values | None, precision: Precision) -> Any:
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
    if array.strides == (0, 0):  # a map of one value stays one value: its shape is what counts
        return torch.tensor(array.flat[0].item()).expand(array.shape)
    return torch.from_numpy(array)
