"""GranD-f's human-annotated captions: phrases grounded in run-length masks of SAM's photos."""

from convert.demo.files import write_json
from convert.demo.raster import Mask
from convert.demo.spoken import Phrase
from convert.demo.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.tell import retell, write_grounded
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth

_ROWS = "GranDf/annotations/train/GranDf_HA_GCG_train.json"
_TRUTH = "GranDf/annotations/val_test/{}_gcg_coco_{}_gt.json"
_PHOTOS = {
    "train": "GranDf_HA_images/train",
    "val": "GranDf_HA_images/val_test",
    "test": "GranDf_HA_images/val_test",
}
_FIRST = 10_010_541
_WRAPS = ("{}", '"{}"', '" {} "', " {}\n", '"{}')
"""How captions come: spans count in what is left without quotes and outer white space."""
_ROW_DEFECTS = {
    "mask of another size": "SizeMismatchError",
    "counts cut short": "MaskDecodeError",
    "counts of another total": "MaskDecodeError",
    "span too long": "SpanError",
    "span not found": "SpanError",
}


def draw_grandf_ha(brief: Brief) -> Truth:
    """Rows for training, ground truth for val and test, and photos."""
    rows: list[dict[str, object]] = []
    truth = {split: _GroundTruth() for split in ("val", "test")}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *_ROW_DEFECTS)
    for study in plan_studies(brief, "sam", _FIRST, tuple(_PHOTOS), defects):
        stem = f"sa_{study.number}"
        photo = f"{_PHOTOS[study.split]}/{stem}.jpg"
        study.save(brief.root / photo)
        add = truth[study.split].add if study.split in truth else _Rows(rows).add
        captions, regions = add(study)
        error = study.error or _ROW_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(stem, study.split, error))
        else:
            sample = TrueSample(stem, study.split, photo, study.size, captions, regions)
            samples.append(sample)
    write_json(brief.root / _ROWS, rows)
    for split, files in truth.items():
        files.write(brief, split)
    for folder in _PHOTOS.values():
        (brief.root / folder).mkdir(parents=True, exist_ok=True)
    return Truth("grandf_ha", tuple(samples), tuple(rejects))


class _Rows:
    """The training file."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self._rows = rows

    def add(self, study: Study) -> tuple[tuple[str, ...], tuple[TrueRegion, ...]]:
        """One row, or two for some photos; (captions, regions) of the photo."""
        told = [write_grounded(study.scene)]
        if study.number % 4 == 0:
            told.append(retell(study.scene))
        regions: list[TrueRegion] = []
        for number, (caption, phrases) in enumerate(told):
            named = _named(study, phrases)
            height, width = study.annotated_size
            self._rows.append(
                {
                    "file_name": f"sa_{study.number}.jpg",
                    "height": height,
                    "width": width,
                    "image_id": f"sa_{study.number}",
                    "caption": _WRAPS[study.number % len(_WRAPS)].format(caption),
                    "groundings": _groundings(study, caption, named),
                }
            )
            regions += [_region(key, phrase, number) for key, phrase in named.items()]
        return tuple(caption for caption, _ in told), tuple(regions)


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


class _GroundTruth:
    """The two files of a split for evaluation, which do not say which mask a label means."""

    def __init__(self) -> None:
        self._images: list[object] = []
        self._captions: list[object] = []
        self._masks: list[object] = []

    def add(self, study: Study) -> tuple[tuple[str, ...], tuple[TrueRegion, ...]]:
        """One caption; labels and masks apart."""
        caption, phrases = write_grounded(study.scene)
        image_id = f"sa_{study.number}"
        labels = [phrase.text for phrase in phrases]
        self._images.append({"id": image_id})
        self._captions.append(
            {"id": len(self._captions), "image_id": image_id, "caption": caption, "labels": labels}
        )
        masks = [phrase.mask for phrase in phrases]
        for mask in masks:
            self._masks.append(self._mask_row(image_id, mask))
        unlinked = [TrueRegion(box=_box(mask), runs=mask) for mask in masks]
        return (caption,), (*(TrueRegion((label,)) for label in labels), *unlinked)

    def _mask_row(self, image_id: str, mask: Mask) -> dict[str, object]:
        return {
            "id": len(self._masks),
            "image_id": image_id,
            "category_id": 1,
            "segmentation": mask.as_json(),
            "bbox": mask.bbox,
            "area": mask.area,
            "iscrowd": 0,
        }

    def write(self, brief: Brief, split: str) -> None:
        """Write both files."""
        captions = {"images": self._images, "annotations": self._captions}
        masks = {
            "images": self._images,
            "annotations": self._masks,
            "categories": [{"id": 1, "name": "object"}],
        }
        write_json(brief.root / _TRUTH.format(split, "caption"), captions)
        write_json(brief.root / _TRUTH.format(split, "mask"), masks)


def _box(mask: Mask) -> tuple[float, float, float, float]:
    x, y, width, height = mask.bbox
    return x, y, x + width, y + height
