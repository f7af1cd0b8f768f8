"""GranD-f's human-annotated captions: phrases grounded in run-length masks of SAM's photos."""

from convert.demo.files.files import write_json
from convert.demo.scene.raster import Mask
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.sources.grounded import ROW_DEFECTS, tell
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.tell import write_grounded

_ROWS = "GranDf/annotations/train/GranDf_HA_GCG_train.json"
_TRUTH = "GranDf/annotations/val_test/{}_gcg_coco_{}_gt.json"
_PHOTOS = {
    "train": "GranDf_HA_images/train",
    "val": "GranDf_HA_images/val_test",
    "test": "GranDf_HA_images/val_test",
}
_FIRST = 10_010_541


def draw_grandf_ha(brief: Brief) -> Truth:
    """Rows for training, ground truth for val and test, and photos."""
    rows: list[dict[str, object]] = []
    truth = {split: _GroundTruth() for split in ("val", "test")}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *ROW_DEFECTS)
    for study in plan_studies(brief, "sam", _FIRST, tuple(_PHOTOS), defects):
        stem = f"sa_{study.number}"
        photo = f"{_PHOTOS[study.split]}/{stem}.jpg"
        study.save(brief.root / photo)
        if study.split in truth:
            captions, regions = truth[study.split].add(study)
        else:
            told = tell(study, f"{stem}.jpg", stem)
            rows += told.rows
            captions, regions = told.captions, told.regions
        error = study.error or ROW_DEFECTS.get(study.defect)
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
