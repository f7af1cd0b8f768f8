"""GranD's pre-training annotations: LMDBs of JSON about SAM's photos, and lists of their keys."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import lmdb
import numpy as np

from convert.demo.files.write import write_bytes
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.scene.raster import Mask, encode
from convert.demo.truth import TrueBox, TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.captions import write_grounded, write_second_caption
from convert.demo.words.names import describe, name

UNMASKED = "nothing masked"
GrandRows = tuple[list[dict[str, object]], tuple[str, ...], tuple[TrueRegion, ...]]
"""(rows of a photo, its captions, its regions)."""


def caption_rows(drawn: DrawnPhoto) -> GrandRows:
    """Rows of captions. Two phrases may share an id, like upstream."""
    rows: list[dict[str, object]] = []
    captions: list[str] = []
    regions: list[TrueRegion] = []
    for caption, phrases in (write_grounded(drawn.scene), write_second_caption(drawn.scene)):
        details = []
        for number, phrase in enumerate(phrases):
            box = _box(drawn, phrase.mask, number) if number % 4 != 2 else None  # noqa: PLR2004
            masked = number % 3 != 1 and not _is_unmasked(drawn)
            details.append(
                {
                    "phrase": phrase.text,
                    "tokens_positive": [phrase.start, phrase.stop],
                    "id": number // 2,
                    "bbox": box,
                    "segmentation": _segmentation(drawn, phrase.mask) if masked else None,
                }
            )
            region = _region(drawn, (phrase.text,), box, phrase.mask if masked else None)
            regions.append(replace(region, spans=((len(captions), phrase.start, phrase.stop),)))
        if not captions:
            _spoil_detail(drawn, details[0], caption)
        rows.append({"caption": caption, "details": details})
        captions.append(caption)
    if drawn.defect == "caption gone":
        del rows[-1]["caption"]
    return rows, tuple(captions), tuple(regions)


def expression_rows(drawn: DrawnPhoto) -> GrandRows:
    """Rows of expressions, some with the residue of a language model."""
    rows: list[dict[str, object]] = []
    regions: list[TrueRegion] = []
    things = drawn.scene.things
    for number, (thing, mask) in enumerate(zip(things, drawn.scene.masks(), strict=True)):
        words = describe(drawn.scene, thing)[-1]
        written, expected = _attribute((drawn.number + number) % 6, words, name(thing))
        box = _box(drawn, mask, number)
        masked = not _is_unmasked(drawn)
        segmentation = _segmentation(drawn, mask) if masked else None
        row = {"attribute": written, "id": number // 2, "bbox": box, "segmentation": segmentation}
        rows.append(row)
        regions.append(_region(drawn, expected, box, mask if masked else None))
    _spoil_detail(drawn, rows[0], "")
    return rows, (), tuple(regions)


def _attribute(form: int, words: str, plain: str) -> tuple[object, tuple[str, ...]]:
    """(value in the file, expected phrases)."""
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


def _is_unmasked(drawn: DrawnPhoto) -> bool:
    return drawn.defect == UNMASKED or (not drawn.defect and drawn.number % 7 == 0)


def _region(
    drawn: DrawnPhoto, phrases: tuple[str, ...], bbox: list[float] | None, mask: Mask | None
) -> TrueRegion:
    box: TrueBox | None = None
    if bbox is not None:
        height, width = drawn.size
        x0, y0, x1, y1 = bbox
        box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return TrueRegion(phrases, box, mask)


def _box(drawn: DrawnPhoto, mask: Mask, number: int) -> list[float]:
    """Corners with two decimals. The first box of a photo is partly outside of it."""
    x, y, wide, high = mask.bbox
    height, width = drawn.size
    if number == 0:
        return [-16.87, y, round(width + 20.6, 2), round(height + 8.38, 2)]
    return [x + 0.25, y + 0.5, x + wide, y + high]


def _segmentation(drawn: DrawnPhoto, mask: Mask) -> dict[str, object]:
    """The mask, padded to the annotated size of the photo."""
    height, width = drawn.size
    tall, wide = drawn.annotated_size
    grown = np.pad(mask.pixels, ((0, tall - height), (0, wide - width)))
    return (mask if grown.shape == mask.size else encode(grown)).as_json()


def _spoil_detail(drawn: DrawnPhoto, row: dict[str, object], caption: str) -> None:
    height, width = drawn.size
    match drawn.defect:
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
    """One of the databases: its folder, number of its first photo, defects and rows."""

    source: str
    folder: str
    first: int
    defects: dict[str, str]
    write: Callable[[DrawnPhoto], GrandRows]


def draw_grand_caption(options: DrawOptions) -> Truth:
    """Draw two captions per photo, whose phrases have boxes and often masks."""
    folder = "GranD_Data/Grand_Caption_Grounding_lmdb"
    return _draw(options, _Kind("grand_caption", folder, 302_406, _CAPTION_DEFECTS, caption_rows))


def draw_grand_referring(options: DrawOptions) -> Truth:
    """Draw expressions for objects, each with box and mask."""
    folder = "GranD_Data/Grand_Referring_Expression_lmdb"
    return _draw(
        options, _Kind("grand_referring", folder, 1_310_343, _ROW_DEFECTS, expression_rows)
    )


def _draw(options: DrawOptions, kind: _Kind) -> Truth:
    errors = {**REJECTED, **kind.defects}
    # This key is in no list.
    unlisted = f"sa_{kind.first - 1}.jpg"
    entries = {unlisted: _value(unlisted, [])}
    lists: dict[str, list[str]] = {split: [] for split in _SPLITS}
    samples, rejects = [], []
    defects = (*errors, *REPAIRABLE, _EMPTY, UNMASKED)
    for drawn in plan_photos(options, "sam", kind.first, tuple(_SPLITS), defects):
        key = f"sa_{drawn.number}"
        file_name = f"{key}.jpg"
        drawn.save(options.root / _PHOTOS / file_name)
        rows, captions, regions = ([], (), ()) if _is_empty(drawn) else kind.write(drawn)
        lists[drawn.split].append(file_name)
        if drawn.defect != "key gone":
            entries[file_name] = _spoil_value(drawn, file_name, rows)
        if error := errors.get(drawn.defect):
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            photo = f"{_PHOTOS}/{file_name}"
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, captions, regions))
    _write_lmdb(options.root / kind.folder, entries)
    for split, ending in _SPLITS.items():
        text = "".join(f"{line}\n" for line in lists[split])
        path = f"{kind.folder}/{Path(kind.folder).name}_{ending}.txt"
        write_bytes(options.root / path, text.encode("ascii"))
    (options.root / _PHOTOS).mkdir(parents=True, exist_ok=True)
    return Truth(kind.source, tuple(samples), tuple(rejects))


def _is_empty(drawn: DrawnPhoto) -> bool:
    return drawn.defect == _EMPTY or (not drawn.defect and drawn.number % 11 == 0)


def _write_lmdb(folder: Path, entries: dict[str, bytes]) -> None:
    """Write a database in one transaction, without a lock file.

    Other versions of LMDB may write other bytes.
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


def _spoil_value(drawn: DrawnPhoto, file_name: str, rows: list[dict[str, object]]) -> bytes:
    match drawn.defect:
        case "not JSON":
            return _value(file_name, rows)[:-9]
        case "under another name":
            return _value("sa_1.jpg", rows)
    return _value(file_name, rows)
