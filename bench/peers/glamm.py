"""GLaMM's own way to a training example: from the downloaded files, each time anew.

Restates the dataset classes of mbzuai-oryx/groundingLMM (`dataset/*/*_ds.py`, commit e74865f): cv2
reads the photo, `CLIPImageProcessor` computes the global encoder's input, Pillow and torch compute
SAM's, and pycocotools decodes masks at the photo's original size. Two costs are left out, in its
favour: the copies it makes to build a conversation, and parsing GranD's rows for every photo.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco
from torch.nn.functional import pad

from bench.peers.glamm_items import ReferenceItem
from shards.glamm.conversation import Exchange, render
from shards.glamm.prompts import WORDING

Bytes = NDArray[np.uint8]
Clip = Callable[[Bytes], torch.Tensor]
"""RGB [height, width, 3] to the global encoder's input."""
_MEAN = torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)
_STD = torch.tensor([58.395, 57.12, 57.375]).view(-1, 1, 1)
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_SIDE, _CLIP_SIDE, _FEW, _MANY, _IGNORED = 1024, 336, 3, 10, 255


def clip_of_transformers() -> Clip:
    """The processor that the reference uses, configured as openai/clip-vit-large-patch14-336."""
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(
        size={"shortest_edge": _CLIP_SIDE},
        crop_size={"height": _CLIP_SIDE, "width": _CLIP_SIDE},
        resample=Image.Resampling.BICUBIC,
        image_mean=list(_CLIP_MEAN),
        image_std=list(_CLIP_STD),
    )

    def process(image: Bytes) -> torch.Tensor:
        return processor.preprocess(image, return_tensors="pt")["pixel_values"][0]

    return process


def clip_at_its_least(image: Bytes) -> torch.Tensor:
    """The values of `CLIPImageProcessor`, without its overhead."""
    height, width = image.shape[:2]
    longer = int(_CLIP_SIDE * max(height, width) / min(height, width))
    size = (_CLIP_SIDE, longer) if width <= height else (longer, _CLIP_SIDE)
    scaled = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    top, left = (scaled.shape[0] - _CLIP_SIDE) // 2, (scaled.shape[1] - _CLIP_SIDE) // 2
    middle = scaled[top : top + _CLIP_SIDE, left : left + _CLIP_SIDE]
    values = middle.astype(np.float32) / np.float32(255)
    values -= np.array(_CLIP_MEAN, np.float32)
    values /= np.array(_CLIP_STD, np.float32)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def sam_input(image: Bytes) -> tuple[torch.Tensor, tuple[int, int]]:
    """`ResizeLongestSide` and `grounding_enc_processor`: the input, and the photo's size in it."""
    scale = _SIDE / max(image.shape[:2])
    height, width = (int(side * scale + 0.5) for side in image.shape[:2])
    scaled = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(scaled)).permute(2, 0, 1).contiguous()
    values = (values - _MEAN) / _STD
    return pad(values, (0, _SIDE - width, 0, _SIDE - height)), (height, width)


@dataclass(frozen=True, slots=True)
class ReferenceReader:
    """Items to the tuples that `custom_collate_fn` takes.

    Attributes:
        clip: computes the global encoder's input.
        rng: draws items and prompts.
    """

    clip: Clip
    rng: Random

    def __call__(self, item: ReferenceItem) -> tuple[Any, ...]:
        """All ten values of one example."""
        masks: Any = None
        label: Any = None
        texts, exchanges, chosen = self._build_text(item)
        if item.kind == "grounded":
            with Image.open(item.path) as photo:  # for its size only, as in the reference
                size = photo.height, photo.width
            masks = np.stack([_sum_parts(parts, *size) for parts in item.masks])
        elif item.kind == "labels":
            label, ids = self._labels(item)
            texts = [f"class {number}" for number in ids]
            exchanges = self._ask(texts)
        image = _read(item.path)
        clip, sam, resized, boxes = self.clip(image), None, None, None
        if item.kind in ("grounded", "named", "labels"):
            sam, resized = sam_input(image)
        if item.kind == "named":
            masks = np.stack([_mask_of(item.masks[n], *item.size) for n in chosen])
        if item.kind == "boxes":
            boxes = _relative([item.boxes[n] for n in chosen], image.shape)
        if item.kind == "labels":
            label = torch.from_numpy(label).long()
            masks = torch.stack([label == number for number in ids])
        elif masks is not None:
            masks = torch.from_numpy(masks)
            label = torch.ones(masks.shape[1:], dtype=torch.long) * _IGNORED
        questions = [exchange.question for exchange in exchanges]
        text = render(exchanges)
        return str(item.path), clip, sam, boxes, [text], masks, label, resized, questions, texts

    def _build_text(self, item: ReferenceItem) -> tuple[list[str], list[Exchange], list[int]]:
        """(names or answers, exchanges, indices of the drawn objects)."""
        rng, texts = self.rng, item.texts
        if item.kind == "grounded":
            question = WORDING.opening + rng.choice(WORDING.grounded_questions)
            return texts, [Exchange(question, _tag(texts[0], item.spans))], []
        if item.kind == "caption":
            caption = rng.choice(texts)
            question = WORDING.opening + rng.choice(WORDING.caption_questions)
            return [caption], [Exchange(question, caption)], []
        if item.kind == "conversation":
            return (
                texts,
                [Exchange(*pair) for pair in zip(texts[::2], texts[1::2], strict=False)],
                [],
            )
        limit = _MANY if item.kind == "boxes" else _FEW
        chosen = rng.sample(range(len(texts)), min(limit, len(texts)))
        names = [texts[number].strip() for number in chosen]
        if item.kind == "boxes":
            questions = [rng.choice(WORDING.region_questions) for _ in names]
            return (
                names,
                [Exchange(q, name) for q, name in zip(questions, names, strict=True)],
                chosen,
            )
        return names, self._ask(names), chosen

    def _ask(self, names: Sequence[str]) -> list[Exchange]:
        return [
            Exchange(
                self.rng.choice(WORDING.segment_questions).format(class_name=name.lower()),
                self.rng.choice(WORDING.segment_answers),
            )
            for name in names
        ]

    def _labels(self, item: ReferenceItem) -> tuple[NDArray[Any], list[int]]:
        assert item.labels is not None  # noqa: S101 - set for this kind
        label = np.array(Image.open(item.labels))
        if "ade20k" in item.labels.parts:
            label = np.where(label == 0, _IGNORED, label - 1)
        present = [number for number in np.unique(label).tolist() if number != _IGNORED]
        return label, self.rng.sample(present, min(_FEW, len(present)))


def _read(path: Path) -> Bytes:
    photo = cv2.imread(str(path))
    if photo is None:
        raise SystemExit(f"{path}: cv2 cannot read it; expected a photo")
    rgb: Any = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
    pixels: Bytes = rgb
    return pixels


def _tag(caption: str, spans: Sequence[Sequence[int]]) -> str:
    for start, stop in sorted(map(tuple, spans), reverse=True):
        caption = f"{caption[:start]}<p> {caption[start:stop]} </p> [SEG]{caption[stop:]}"
    return caption


def _sum_parts(parts: Any, height: int, width: int) -> Bytes:
    mask = np.zeros((height, width), np.uint8)
    for part in parts:
        runs = part if isinstance(part, dict) else coco.frPyObjects([part], height, width)
        mask += coco.decode(runs).astype(np.uint8).squeeze()
    return mask


def _mask_of(parts: Any, height: int, width: int) -> Bytes:
    """The mask of one object, decoded as `annToMask` does."""
    if isinstance(parts, list) and isinstance(parts[0], list):
        parts = coco.merge(coco.frPyObjects(parts, height, width))
    elif isinstance(parts, list):
        parts = coco.merge(parts)
    elif isinstance(parts["counts"], list):
        parts = coco.frPyObjects(parts, *parts["size"])
    mask: Bytes = coco.decode(parts)
    return mask


def _relative(boxes: Any, shape: Sequence[int]) -> torch.Tensor:
    corners = np.array(boxes, np.float32)
    corners /= np.array([shape[1], shape[0]] * 2, np.float32)
    return torch.from_numpy(corners)
