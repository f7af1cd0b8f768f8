"""GranD-f's grounded captions (MBZUAI/GranD-f): training rows, and ground truth of val and test."""

import json
import reprlib
from dataclasses import dataclass
from typing import Any

import msgspec

from convert.errors import AnnotationError, MaskDecodeError, SpanError
from convert.record import RawMask
from convert.sources.annotations.coco import parse_rle


class CaptionRow(msgspec.Struct, frozen=True):
    """One caption of one photo. Its groundings are kept as JSON until they are needed."""

    file_name: str
    height: int
    width: int
    caption: str
    groundings: msgspec.Raw
    image_id: int | str = ""


class TruthCaption(msgspec.Struct, frozen=True):
    """A caption of the ground truth, with its grounded phrases."""

    id: int
    image_id: int | str
    caption: str
    labels: tuple[str, ...] = ()


class TruthMask(msgspec.Struct, frozen=True):
    """A mask of the ground truth. It is not linked to a label."""

    id: int
    image_id: int | str
    segmentation: msgspec.Raw
    bbox: tuple[float, float, float, float] | None = None


class TruthImage(msgspec.Struct, frozen=True):
    """A photo of the ground truth."""

    id: int | str


class TruthCaptionsFile(msgspec.Struct, frozen=True):
    """`{val,test}_gcg_coco_caption_gt.json`."""

    images: list[TruthImage]
    annotations: list[TruthCaption]


class TruthMasksFile(msgspec.Struct, frozen=True):
    """`{val,test}_gcg_coco_mask_gt.json`."""

    images: list[TruthImage]
    annotations: list[TruthMask]


@dataclass(frozen=True, slots=True)
class Grounding:
    """A phrase, its characters [start, stop) in the stripped caption, and the parts of its mask."""

    phrase: str
    span: tuple[int, int] | None
    masks: tuple[RawMask, ...]


def strip_caption(caption: str) -> str:
    """The caption without surrounding quotes and white space. Spans are offsets in this text.

    >>> strip_caption('" A red mug. "')
    'A red mug.'
    """
    return caption.strip('"').strip()


def parse_groundings(raw: bytes) -> tuple[Grounding, ...]:
    """The groundings of a row in file order; a key that occurs twice is two groundings.

    Raises:
        AnnotationError: if they are not a JSON object of groundings.
        SpanError: if a span is not a pair of numbers.
        MaskDecodeError: if a mask is not a run-length mask.
    """
    try:
        # msgspec would keep only the last of two equal keys.
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"groundings of no known form: {raw[:60]!r}") from error
    if not isinstance(pairs, _Pairs):
        raise AnnotationError(f"groundings of no known form: {raw[:60]!r}")
    return tuple(_grounding(phrase, value) for phrase, value in pairs)


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of a JSON object, with duplicate keys."""


def _grounding(phrase: str, value: Any) -> Grounding:
    if any("\ud800" <= character <= "\udfff" for character in phrase):
        raise AnnotationError(f"{phrase!r} holds half a surrogate pair, which is no character")
    if value is None:
        return Grounding(phrase, None, ())
    if not isinstance(value, _Pairs):
        raise AnnotationError(f"grounding of {phrase!r} of no known form")
    fields = dict(value)
    masks = fields.get("rle_masks") or []
    if type(masks) is not list or not all(isinstance(mask, _Pairs) for mask in masks):
        raise MaskDecodeError(f"masks of {phrase!r} of no known form: {reprlib.repr(masks)}")
    return Grounding(
        phrase=phrase,
        span=_span(phrase, fields.get("token_positives")),
        masks=tuple(parse_rle(dict(mask)) for mask in masks),
    )


def _span(phrase: str, value: Any) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int() as start, int() as stop]:
            return start, stop
        case _:
            raise SpanError(
                f"{phrase!r}: expected a pair of character offsets, found {reprlib.repr(value)}"
            )
