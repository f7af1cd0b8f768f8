"""GranD's pre-training annotations: LMDBs of JSON about SAM's photos, with lists of their keys."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lmdb

from convert.demo.files import write_bytes
from convert.demo.grand_rows import UNMASKED, GrandSaid, ground, refer
from convert.demo.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueReject, TrueSample, Truth

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
