"""GranD's pre-training annotations: LMDBs of JSON about SAM's photos, with lists of their keys."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import lmdb
import numpy as np

from convert.demo.files.files import write_bytes
from convert.demo.scene.raster import Mask, encode
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import Box, TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.tell import retell, write_grounded
from convert.demo.words.words import describe, name

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


_PHOTOS = "GranD_Data/images"
_SPLITS = {"train": "Train", "val": "Val"}
_ROW_DEFECTS = {
    "key gone": "AnnotationError",
    "not JSON": "AnnotationError",
    "under another name": "AnnotationError",
    "mask of another size": "SizeMismatchError",
    "counts cut short": "MaskDecodeError",
}
_CAPTION_DEFECTS = {
    **_ROW_DEFECTS,
    "span too long": "SpanError",
    "caption gone": "AnnotationError",
}
_EMPTY = "nothing said"
_SPARE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the databases: its folder, number of its first photo, what can be wrong, its rows."""

    source: str
    folder: str
    first: int
    defects: dict[str, str]
    say: Callable[[Study], GrandSaid]


def draw_grand_caption(brief: Brief) -> Truth:
    """Two captions a photo, whose phrases have boxes and mostly masks."""
    folder = "GranD_Data/Grand_Caption_Grounding_lmdb"
    return _draw(brief, _Kind("grand_caption", folder, 302_406, _CAPTION_DEFECTS, ground))


def draw_grand_referring(brief: Brief) -> Truth:
    """Expressions for objects, each with box and mask."""
    folder = "GranD_Data/Grand_Referring_Expression_lmdb"
    return _draw(brief, _Kind("grand_referring", folder, 1_310_343, _ROW_DEFECTS, refer))


def _draw(brief: Brief, kind: _Kind) -> Truth:
    errors = {**REJECTED, **kind.defects}
    # No list names this key.
    unlisted = f"sa_{kind.first - 1}.jpg"
    entries = {unlisted: _value(unlisted, [])}
    lists: dict[str, list[str]] = {split: [] for split in _SPLITS}
    samples, rejects = [], []
    defects = (*errors, *MENDED, _EMPTY, UNMASKED)
    for study in plan_studies(brief, "sam", kind.first, tuple(_SPLITS), defects):
        key = f"sa_{study.number}"
        file_name = f"{key}.jpg"
        study.save(brief.root / _PHOTOS / file_name)
        rows, captions, regions = ([], (), ()) if _is_empty(study) else kind.say(study)
        lists[study.split].append(file_name)
        if study.defect != "key gone":
            entries[file_name] = _spoil_value(study, file_name, rows)
        if error := errors.get(study.defect):
            rejects.append(TrueReject(key, study.split, error))
        else:
            photo = f"{_PHOTOS}/{file_name}"
            samples.append(TrueSample(key, study.split, photo, study.size, captions, regions))
    _write_lmdb(brief.root / kind.folder, entries)
    for split, ending in _SPLITS.items():
        text = "".join(f"{line}\n" for line in lists[split])
        place = f"{kind.folder}/{Path(kind.folder).name}_{ending}.txt"
        write_bytes(brief.root / place, text.encode("ascii"))
    (brief.root / _PHOTOS).mkdir(parents=True, exist_ok=True)
    return Truth(kind.source, tuple(samples), tuple(rejects))


def _is_empty(study: Study) -> bool:
    return study.defect == _EMPTY or (not study.defect and study.number % 11 == 0)


def _write_lmdb(folder: Path, entries: dict[str, bytes]) -> None:
    """Write a database in one transaction, without a lock file.

    Which pages an entry lies on is LMDB's business: other versions of it may write other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("data.mdb", "lock.mdb"):
        (folder / file).unlink(missing_ok=True)
    size = _SPARE + 4 * sum(map(len, entries.values())) + 8192 * len(entries)
    with (
        lmdb.open(str(folder), map_size=size, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in sorted(entries):
            transaction.put(key.encode("ascii"), entries[key])


def _value(file_name: str, rows: list[dict[str, object]]) -> bytes:
    return json.dumps({file_name: rows}).encode("ascii")


def _spoil_value(study: Study, file_name: str, rows: list[dict[str, object]]) -> bytes:
    match study.defect:
        case "not JSON":
            return _value(file_name, rows)[:-9]
        case "under another name":
            return _value("sa_1.jpg", rows)
    return _value(file_name, rows)
