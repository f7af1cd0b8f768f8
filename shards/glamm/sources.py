"""How each source is used in training: tables of tasks, items and families."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

ExampleTask = Literal[
    "grounded", "referring", "labels", "parts", "expression", "regions", "sentence", "caption",
    "conversation",
]  # fmt: skip
ItemColumn = Literal["captions", "phrases", "conversations"]
"""A column of the sample index: how many items of this kind a sample has."""
Family = Literal["seg", "reg", "cap"]


class SourceRule(NamedTuple):
    """How a source is used in training.

    Attributes:
        task: of its examples.
        expands: column of the sample index that the reference samples uniformly: with `captions`, a
            photo is drawn as often as it has captions. None where it samples photos uniformly.
        lowercase: whether the reference converts this source's captions to lower case.
    """

    task: ExampleTask
    expands: ItemColumn | None = None
    lowercase: bool = False


SOURCES: Mapping[str, SourceRule] = {
    "grandf_ha": SourceRule("grounded", "captions"),
    "openpsg_gcg": SourceRule("grounded", "captions"),
    "refcocog_gcg": SourceRule("grounded", "captions", lowercase=True),
    "flickr_gcg": SourceRule("grounded", "captions"),
    "ade20k": SourceRule("labels"),
    "coco_stuff": SourceRule("labels"),
    "mapillary": SourceRule("labels"),
    "paco_lvis": SourceRule("parts"),
    "pascal_part": SourceRule("parts"),
    "refcoco": SourceRule("referring"),
    "refcoco_plus": SourceRule("referring"),
    "refcocog": SourceRule("referring"),
    "refclef": SourceRule("referring"),
    "grand_referring": SourceRule("referring"),
    "refcoco_region": SourceRule("expression", "phrases"),
    "refcoco_plus_region": SourceRule("expression", "phrases"),
    "refcocog_region": SourceRule("regions", "phrases"),
    "visual_genome": SourceRule("regions"),
    "flickr30k": SourceRule("sentence", "captions"),
    "coco_captions": SourceRule("caption", "captions"),
    "grand_caption": SourceRule("caption"),
    "llava_instruct": SourceRule("conversation", "conversations"),
}

EXPANDS: Mapping[str, ItemColumn | None] = {name: rule.expands for name, rule in SOURCES.items()}
"""Source -> column of the sample index that the reference samples uniformly; None for photos."""

ITEM_COLUMNS: Mapping[ExampleTask, ItemColumn | None] = {
    "grounded": "captions",
    "referring": "phrases",
    "labels": None,
    "parts": "phrases",
    "expression": "phrases",
    "regions": "phrases",
    "sentence": "captions",
    "caption": "captions",
    "conversation": "conversations",
}
"""Task -> column of the sample index that says how many values `item_index` can have; None where
examples of a task are not about one item."""

FAMILIES: Mapping[ExampleTask, Family] = {
    "grounded": "seg",
    "referring": "seg",
    "labels": "seg",
    "parts": "seg",
    "expression": "reg",
    "regions": "reg",
    "sentence": "reg",
    "caption": "cap",
    "conversation": "cap",
}
"""Task -> which of the reference's three loaders has it: segmentation, regions or captions.

All examples of a batch must belong to one family. The model needs boxes, and the grounding
encoder's input, either for every photo of a batch or for none."""
