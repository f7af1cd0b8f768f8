"""Rows of GranD-f: captions whose phrases are grounded in run-length masks."""

from dataclasses import dataclass

from convert.demo.scene.studies import Study
from convert.demo.truth import TrueRegion
from convert.demo.words.spoken import Phrase
from convert.demo.words.tell import retell, write_grounded

ROW_DEFECTS = {
    "mask of another size": "SizeMismatchError",
    "counts cut short": "MaskDecodeError",
    "counts of another total": "MaskDecodeError",
    "span too long": "SpanError",
    "span not found": "SpanError",
}
"""What may be wrong with a row -> the error that must say so."""
_WRAPS = ("{}", '"{}"', '" {} "', " {}\n", '"{}')
"""How captions come: spans count in what is left without quotes and outer white space."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that a file says about one photo, and what of it is true."""

    rows: tuple[dict[str, object], ...]
    captions: tuple[str, ...]
    regions: tuple[TrueRegion, ...]


def tell(study: Study, file_name: str, image_id: str) -> Told:
    """One row, or two for some photos."""
    told = [write_grounded(study.scene)]
    if study.number % 4 == 0:
        told.append(retell(study.scene))
    rows: list[dict[str, object]] = []
    regions: list[TrueRegion] = []
    height, width = study.annotated_size
    for number, (caption, phrases) in enumerate(told):
        named = _named(study, phrases)
        rows.append(
            {
                "file_name": file_name,
                "height": height,
                "width": width,
                "image_id": image_id,
                "caption": _WRAPS[study.number % len(_WRAPS)].format(caption),
                "groundings": _groundings(study, caption, named),
            }
        )
        regions += [_region(key, phrase, number) for key, phrase in named.items()]
    return Told(tuple(rows), tuple(caption for caption, _ in told), tuple(regions))


def _named(study: Study, phrases: tuple[Phrase, ...]) -> dict[str, Phrase | None]:
    """Phrases by the keys the file gives them: not always as they are spelt in the caption.

    A phrase that comes twice needs another spelling; some files are not in the caption's order;
    the last key means nothing that can be seen.
    """
    named: dict[str, Phrase | None] = {}
    for phrase in phrases if study.number % 2 else reversed(phrases):
        text = phrase.text.lower() if study.number % 3 else phrase.text
        spellings = (text, text.capitalize(), text.upper())
        key = next(said for said in (*spellings, f"{phrase.text} ") if said not in named)
        named[key] = phrase
    return named if study.number % 5 == 0 else {**named, "a nice day": None}


def _region(key: str, phrase: Phrase | None, caption: int) -> TrueRegion:
    if phrase is None:
        return TrueRegion((key,))
    return TrueRegion((key,), None, phrase.mask, ((caption, phrase.start, phrase.stop),))


def _groundings(
    study: Study, caption: str, named: dict[str, Phrase | None]
) -> dict[str, dict[str, object] | None]:
    groundings: dict[str, dict[str, object] | None] = {}
    for number, (key, phrase) in enumerate(named.items()):
        if phrase is None:
            groundings[key] = None
            continue
        span, masks = [phrase.start, phrase.stop], [mask.as_json() for mask in phrase.masks]
        if number == 0:
            span, masks = _spoil(study, caption, span, masks)
        groundings[key] = {"token_positives": span, "rle_masks": masks}
    return groundings


def _spoil(
    study: Study, caption: str, span: list[int], masks: list[dict[str, object]]
) -> tuple[list[int], list[dict[str, object]]]:
    height, width = study.size
    counts = str(masks[0]["counts"])
    match study.defect:
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
