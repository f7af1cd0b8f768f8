"""Which source is trained on how: a table."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Task = Literal[
    "grounded", "referring", "labels", "parts", "expression", "regions", "sentence", "caption",
    "conversation",
]  # fmt: skip
Column = Literal["captions", "phrases", "conversations"]
Family = Literal["seg", "reg", "cap"]


class SourceRule(NamedTuple):
    """How a source is trained on.

    Attributes:
        task: what an example of it asks for.
        expands: column of the sample index over which the reference goes uniformly: a photo is
            drawn as often as it has captions, say. None where it goes over photos.
        lowered: the reference lowers the letters of this source's captions.
    """

    task: Task
    expands: Column | None = None
    lowered: bool = False


SOURCES: Mapping[str, SourceRule] = {
    "grandf_ha": SourceRule("grounded", "captions"),
    "openpsg_gcg": SourceRule("grounded", "captions"),
    "refcocog_gcg": SourceRule("grounded", "captions", lowered=True),
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

EXPANDS: Mapping[str, Column | None] = {name: rule.expands for name, rule in SOURCES.items()}
"""Source -> column of the sample index that the reference goes uniformly over; None: photos."""

COUNTED: Mapping[Task, Column | None] = {
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
"""Task -> what `which` counts: the column of the sample index that says how many there are."""

FAMILIES: Mapping[Task, Family] = {
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
"""Task -> the reference's loader. Examples of one batch must be of one: the model takes boxes of
all of a batch's photos or of none, and so with the grounding encoder's input."""
