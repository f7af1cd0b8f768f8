"""GLaMM's own way to a batch: torch's DataLoader, whose workers its train.py sets to two.

What its collate does with pixels is here; its tokenizer is not, for anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from bench.peers.glamm import Reader
from bench.peers.glamm_items import Item


@dataclass(frozen=True)
class Examples(Dataset[Any]):  # type: ignore[misc]
    """Items by number, each made an example when it is asked for."""

    reader: Reader
    items: Sequence[Item]

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """One example."""
        return self.reader(self.items[number])

    def __len__(self) -> int:
        """Items."""
        return len(self.items)


def collate(examples: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """What `custom_collate_fn` makes of the ten things, but for the tokens."""
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
    """As train.py does before a step; what is bf16 stays as it is."""
    for name in ("global_enc_images", "grounding_enc_images"):
        if batch[name] is not None:
            batch[name] = batch[name].bfloat16()
    return batch


def one_thread() -> None:
    """For this process and those it forks: libraries' own threads stand in the way."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def open_batches(
    reader: Reader, batches: Sequence[Sequence[Item]], workers: int
) -> "DataLoader[Any]":
    """A loader of these batches; its processes are started once."""
    items = [item for batch in batches for item in batch]
    numbers = iter(range(len(items)))
    return DataLoader(
        Examples(reader, items),
        batch_sampler=[list(islice(numbers, len(batch))) for batch in batches],
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )
