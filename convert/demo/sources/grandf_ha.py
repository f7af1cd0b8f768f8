"""GranD-f's human-annotated captions: phrases grounded in run-length masks of SAM's photos."""

from convert.demo.files.write import write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.scene.raster import Mask
from convert.demo.sources.grounded import ROW_DEFECTS, write_rows
from convert.demo.truth import TrueRegion, TrueReject, TrueSample, Truth
from convert.demo.words.captions import write_grounded

_ROWS = "GranDf/annotations/train/GranDf_HA_GCG_train.json"
_TRUTH = "GranDf/annotations/val_test/{}_gcg_coco_{}_gt.json"
_PHOTOS = {
    "train": "GranDf_HA_images/train",
    "val": "GranDf_HA_images/val_test",
    "test": "GranDf_HA_images/val_test",
}
_FIRST = 10_010_541


def draw_grandf_ha(options: DrawOptions) -> Truth:
    """Draw rows for training, ground truth for val and test, and photos."""
    rows: list[dict[str, object]] = []
    truth = {split: _GroundTruth() for split in ("val", "test")}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, *ROW_DEFECTS)
    for drawn in plan_photos(options, "sam", _FIRST, tuple(_PHOTOS), defects):
        stem = f"sa_{drawn.number}"
        photo = f"{_PHOTOS[drawn.split]}/{stem}.jpg"
        drawn.save(options.root / photo)
        if drawn.split in truth:
            captions, regions = truth[drawn.split].add(drawn)
        else:
            photo_rows = write_rows(drawn, f"{stem}.jpg", stem)
            rows += photo_rows.rows
            captions, regions = photo_rows.captions, photo_rows.regions
        error = drawn.error or ROW_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(stem, drawn.split, error))
        else:
            sample = TrueSample(stem, drawn.split, photo, drawn.size, captions, regions)
            samples.append(sample)
    write_json(options.root / _ROWS, rows)
    for split, files in truth.items():
        files.write(options, split)
    for folder in _PHOTOS.values():
        (options.root / folder).mkdir(parents=True, exist_ok=True)
    return Truth("grandf_ha", tuple(samples), tuple(rejects))


class _GroundTruth:
    """The two files of an evaluation split. They do not link masks to labels."""

    def __init__(self) -> None:
        self._images: list[object] = []
        self._captions: list[object] = []
        self._masks: list[object] = []

    def add(self, drawn: DrawnPhoto) -> tuple[tuple[str, ...], tuple[TrueRegion, ...]]:
        """Add one caption with its labels and masks, and return the captions and regions."""
        caption, phrases = write_grounded(drawn.scene)
        image_id = f"sa_{drawn.number}"
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

    def write(self, options: DrawOptions, split: str) -> None:
        """Write both files."""
        captions = {"images": self._images, "annotations": self._captions}
        masks = {
            "images": self._images,
            "annotations": self._masks,
            "categories": [{"id": 1, "name": "object"}],
        }
        write_json(options.root / _TRUTH.format(split, "caption"), captions)
        write_json(options.root / _TRUTH.format(split, "mask"), masks)


def _box(mask: Mask) -> tuple[float, float, float, float]:
    x, y, width, height = mask.bbox
    return x, y, x + width, y + height
