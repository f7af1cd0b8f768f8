"""What GranD says of one photo: rows of captions or of expressions, boxes as corners."""

from dataclasses import replace

import numpy as np

from convert.demo.raster import Mask, encode
from convert.demo.studies import Study
from convert.demo.tell import retell, write_grounded
from convert.demo.truth import Box, TrueRegion
from convert.demo.words import describe, name

UNMASKED = "nothing masked"
GrandSaid = tuple[list[dict[str, object]], tuple[str, ...], tuple[TrueRegion, ...]]
"""Rows of a photo; its captions and regions."""


def ground(study: Study) -> GrandSaid:
    """Rows of captions. An id belongs to a set of pixels, and to another one as well."""
    rows: list[dict[str, object]] = []
    captions: list[str] = []
    regions: list[TrueRegion] = []
    for caption, phrases in (write_grounded(study.scene), retell(study.scene)):
        details = []
        for number, phrase in enumerate(phrases):
            box = _box(study, phrase.mask, number) if number % 4 != 2 else None  # noqa: PLR2004
            masked = number % 3 != 1 and not _is_unmasked(study)
            details.append(
                {
                    "phrase": phrase.text,
                    "tokens_positive": [phrase.start, phrase.stop],
                    "id": number // 2,
                    "bbox": box,
                    "segmentation": _segmentation(study, phrase.mask) if masked else None,
                }
            )
            region = _region(study, (phrase.text,), box, phrase.mask if masked else None)
            regions.append(replace(region, spans=((len(captions), phrase.start, phrase.stop),)))
        if not captions:
            _spoil_detail(study, details[0], caption)
        rows.append({"caption": caption, "details": details})
        captions.append(caption)
    if study.defect == "caption gone":
        del rows[-1]["caption"]
    return rows, tuple(captions), tuple(regions)


def refer(study: Study) -> GrandSaid:
    """Rows of expressions, some with what a language model says before its answer."""
    rows: list[dict[str, object]] = []
    regions: list[TrueRegion] = []
    things = study.scene.things
    for number, (thing, mask) in enumerate(zip(things, study.scene.masks(), strict=True)):
        words = describe(study.scene, thing)[-1]
        written, meant = _attribute((study.number + number) % 6, words, name(thing))
        box = _box(study, mask, number)
        masked = not _is_unmasked(study)
        segmentation = _segmentation(study, mask) if masked else None
        row = {"attribute": written, "id": number // 2, "bbox": box, "segmentation": segmentation}
        rows.append(row)
        regions.append(_region(study, meant, box, mask if masked else None))
    _spoil_detail(study, rows[0], "")
    return rows, (), tuple(regions)


def _attribute(form: int, words: str, plain: str) -> tuple[object, tuple[str, ...]]:
    """(what the file says, what is meant)."""
    match form:
        case 0:
            return None, ()
        case 1:
            return [words, plain], (words, plain)
        case 2:
            return f"Assistant: {words}", (words,)
        case 3:
            return f"istant: the distant {plain}", (f"the distant {plain}",)
        case 4:
            return f"assistant {words}", (words,)
    return words, (words,)


def _is_unmasked(study: Study) -> bool:
    return study.defect == UNMASKED or (not study.defect and study.number % 7 == 0)


def _region(
    study: Study, phrases: tuple[str, ...], bbox: list[float] | None, mask: Mask | None
) -> TrueRegion:
    box: Box | None = None
    if bbox is not None:
        height, width = study.size
        x0, y0, x1, y1 = bbox
        box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return TrueRegion(phrases, box, mask)


def _box(study: Study, mask: Mask, number: int) -> list[float]:
    """Corners with two decimals; the first of a photo lies partly outside of it."""
    x, y, wide, high = mask.bbox
    height, width = study.size
    if number == 0:
        return [-16.87, y, round(width + 20.6, 2), round(height + 8.38, 2)]
    return [x + 0.25, y + 0.5, x + wide, y + high]


def _segmentation(study: Study, mask: Mask) -> dict[str, object]:
    """The mask, on a canvas as large as the annotation takes the photo to be."""
    height, width = study.size
    tall, wide = study.annotated_size
    grown = np.pad(mask.pixels, ((0, tall - height), (0, wide - width)))
    return (mask if grown.shape == mask.size else encode(grown)).as_json()


def _spoil_detail(study: Study, row: dict[str, object], caption: str) -> None:
    height, width = study.size
    match study.defect:
        case "mask of another size":
            row["segmentation"] = {"size": [width, height], "counts": "0"}
        case "counts cut short":
            row["segmentation"] = {"size": [height, width], "counts": "o"}
        case "span too long":
            row["tokens_positive"] = [0, len(caption) + 1]
