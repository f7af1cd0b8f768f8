"""OpenPSG converted to grounded captions: GranD-f's rows about photos of both COCO folders."""

from convert.demo.files.write import write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawOptions, plan_photos
from convert.demo.sources.grounded import ROW_DEFECTS, write_rows
from convert.demo.truth import TrueReject, TrueSample, Truth

_ROWS = "GranDf/annotations/train/OpenPsgGCG_{}.json"
_SPLITS = ("train", "val")
_FOLDERS = ("train2017", "val2017", "train2017")
"""Folders of photos, in turn. Upstream's splits also use both."""
_FIRST = 417_720


def draw_openpsg_gcg(options: DrawOptions) -> Truth:
    """Draw rows of both splits, and photos. File names start with the photo's folder."""
    rows: dict[str, list[dict[str, object]]] = {split: [] for split in _SPLITS}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, *ROW_DEFECTS)
    for drawn in plan_photos(options, "coco", _FIRST, _SPLITS, defects):
        key = f"{drawn.number:012d}"
        name = f"{_FOLDERS[drawn.number % len(_FOLDERS)]}/{key}.jpg"
        photo = f"coco_2017/{name}"
        drawn.save(options.root / photo)
        photo_rows = write_rows(drawn, name, f"{2_300_000 + drawn.number}")
        rows[drawn.split] += photo_rows.rows
        error = drawn.error or ROW_DEFECTS.get(drawn.defect)
        if error:
            rejects.append(TrueReject(key, drawn.split, error))
        else:
            samples.append(
                TrueSample(
                    key, drawn.split, photo, drawn.size, photo_rows.captions, photo_rows.regions
                )
            )
    for split in _SPLITS:
        write_json(options.root / _ROWS.format(split), rows[split])
    for folder in _FOLDERS:
        (options.root / "coco_2017" / folder).mkdir(parents=True, exist_ok=True)
    return Truth("openpsg_gcg", tuple(samples), tuple(rejects))
