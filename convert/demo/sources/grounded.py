"""Rows of GranD-f: captions with phrases grounded in run-length masks."""

from dataclasses import dataclass

from convert.demo.scene.photos import DrawnPhoto
from convert.demo.truth import TrueRegion
from convert.demo.words.captions import write_grounded, write_second_caption
from convert.demo.words.phrases import Phrase

ROW_DEFECTS = {
    "mask of another size": "SizeMismatchError",
    "counts cut short": "MaskDecodeError",
    "counts of another total": "MaskDecodeError",
    "span too long": "SpanError",
    "span not found": "SpanError",
}
"""Defect of a row -> error with which the photo must be rejected."""
_WRAPS = ("{}", '"{}"', '" {} "', " {}\n", '"{}')
"""Forms of captions. Spans are offsets in the text without quotes and outer white space."""


@dataclass(frozen=True, slots=True)
class PhotoRows:
    """The rows of one photo, and its expected captions and regions."""

    rows: tuple[dict[str, object], ...]
    captions: tuple[str, ...]
    regions: tuple[TrueRegion, ...]


def write_rows(drawn: DrawnPhoto, file_name: str, image_id: str) -> PhotoRows:
    """The row of a photo; some photos have two."""
    captions = [write_grounded(drawn.scene)]
    if drawn.number % 4 == 0:
        captions.append(write_second_caption(drawn.scene))
    rows: list[dict[str, object]] = []
    regions: list[TrueRegion] = []
    height, width = drawn.annotated_size
    for number, (caption, phrases) in enumerate(captions):
        named = _named(drawn, phrases)
        rows.append(
            {
                "file_name": file_name,
                "height": height,
                "width": width,
                "image_id": image_id,
                "caption": _WRAPS[drawn.number % len(_WRAPS)].format(caption),
                "groundings": _groundings(drawn, caption, named),
            }
        )
        regions += [_region(key, phrase, number) for key, phrase in named.items()]
    return PhotoRows(tuple(rows), tuple(caption for caption, _ in captions), tuple(regions))


def _named(drawn: DrawnPhoto, phrases: tuple[Phrase, ...]) -> dict[str, Phrase | None]:
    """Key in the file -> phrase. Keys are not always spelled like in the caption.

    A repeated phrase needs another spelling. Some rows are not in the caption's order. The last key
    has no mask.
    """
    named: dict[str, Phrase | None] = {}
    for phrase in phrases if drawn.number % 2 else reversed(phrases):
        text = phrase.text.lower() if drawn.number % 3 else phrase.text
        spellings = (text, text.capitalize(), text.upper())
        key = next(
            spelling for spelling in (*spellings, f"{phrase.text} ") if spelling not in named
        )
        named[key] = phrase
    return named if drawn.number % 5 == 0 else {**named, "a nice day": None}


def _region(key: str, phrase: Phrase | None, caption: int) -> TrueRegion:
    if phrase is None:
        return TrueRegion((key,))
    return TrueRegion((key,), None, phrase.mask, ((caption, phrase.start, phrase.stop),))


def _groundings(
    drawn: DrawnPhoto, caption: str, named: dict[str, Phrase | None]
) -> dict[str, dict[str, object] | None]:
    groundings: dict[str, dict[str, object] | None] = {}
    for number, (key, phrase) in enumerate(named.items()):
        if phrase is None:
            groundings[key] = None
            continue
        span, masks = [phrase.start, phrase.stop], [mask.as_json() for mask in phrase.masks]
        if number == 0:
            span, masks = _spoil(drawn, caption, span, masks)
        groundings[key] = {"token_positives": span, "rle_masks": masks}
    return groundings


def _spoil(
    drawn: DrawnPhoto, caption: str, span: list[int], masks: list[dict[str, object]]
) -> tuple[list[int], list[dict[str, object]]]:
    height, width = drawn.size
    counts = str(masks[0]["counts"])
    match drawn.defect:
        case "mask of another size":
            return span, [{"size": [width, height], "counts": counts}]
        case "counts cut short":
            return span, [{"size": [height, width], "counts": f"{counts}o"}]
        case "counts of another total":
            return span, [{"size": [height, width], "counts": counts[:-4]}]
        case "span too long":
            return [span[0], len(caption) + 1], masks
        case "span not found":
            return [-1, len(caption)], masks
    return span, masks
