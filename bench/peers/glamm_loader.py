"""GLaMM's own way to a batch: torch's DataLoader, with two workers by default in its train.py.

The collate function does what the reference's does with pixels. The tokenizer is left out of all
measurements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from bench.peers.glamm import ReferenceReader
from bench.peers.glamm_items import ReferenceItem


@dataclass(frozen=True)
class ReferenceDataset(Dataset[Any]):  # type: ignore[misc]  # untyped base
    """Items by number; each is read when it is indexed."""

    reader: ReferenceReader
    items: Sequence[ReferenceItem]

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """The example of one item."""
        return self.reader(self.items[number])

    def __len__(self) -> int:
        """Number of items."""
        return len(self.items)


def collate(examples: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The batch that `custom_collate_fn` returns, without the tokens."""
    columns = list(zip(*examples, strict=True))
    paths, clip, sam, boxes, texts, masks, labels, resized, questions, names = columns
    return {
        "image_paths": list(paths),
        "global_enc_images": torch.stack(clip),
        "grounding_enc_images": None if sam[0] is None else torch.stack(sam),
        "bboxes": None if boxes[0] is None else list(boxes),
        "conversation_list": [text for each in texts for text in each],
        "masks_list": [[] if each is None else each.float() for each in masks],
        "label_list": None if labels[0] is None else list(labels),
        "resize_list": None if resized[0] is None else list(resized),
        "questions_list": list(questions),
        "sampled_classes_list": list(names),
    }


def halve(batch: dict[str, Any]) -> dict[str, Any]:
    """Convert the inputs to bf16, as train.py does before a step."""
    for name in ("global_enc_images", "grounding_enc_images"):
        if batch[name] is not None:
            batch[name] = batch[name].bfloat16()
    return batch


def one_thread() -> None:
    """Turn off the libraries' own threads, in this process and those it forks."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def open_batches(
    reader: ReferenceReader, batches: Sequence[Sequence[ReferenceItem]], workers: int
) -> "DataLoader[Any]":
    """A loader of these batches; its worker processes are started once."""
    items = [item for batch in batches for item in batch]
    numbers = iter(range(len(items)))
    return DataLoader(
        ReferenceDataset(reader, items),
        batch_sampler=[list(islice(numbers, len(batch))) for batch in batches],
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
