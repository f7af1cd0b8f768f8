"""OpenPSG turned into grounded captions: GranD-f's rows about COCO's photos of both folders."""

from convert.demo.files.files import write_json
from convert.demo.scene.studies import MENDED, REJECTED, Brief, plan_studies
from convert.demo.sources.grounded import ROW_DEFECTS, tell
from convert.demo.truth import TrueReject, TrueSample, Truth

_ROWS = "GranDf/annotations/train/OpenPsgGCG_{}.json"
_SPLITS = ("train", "val")
_FOLDERS = ("train2017", "val2017", "train2017")
"""In turn; upstream's own splits take their photos from both."""
_FIRST = 417_720


def draw_openpsg_gcg(brief: Brief) -> Truth:
    """Rows of both splits, and photos; file names begin with the photo's folder."""
    rows: dict[str, list[dict[str, object]]] = {split: [] for split in _SPLITS}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, *ROW_DEFECTS)
    for study in plan_studies(brief, "coco", _FIRST, _SPLITS, defects):
        key = f"{study.number:012d}"
        name = f"{_FOLDERS[study.number % len(_FOLDERS)]}/{key}.jpg"
        photo = f"coco_2017/{name}"
        study.save(brief.root / photo)
        told = tell(study, name, f"{2_300_000 + study.number}")
        rows[study.split] += told.rows
        error = study.error or ROW_DEFECTS.get(study.defect)
        if error:
            rejects.append(TrueReject(key, study.split, error))
        else:
            samples.append(
                TrueSample(key, study.split, photo, study.size, told.captions, told.regions)
            )
    for split in _SPLITS:
        write_json(brief.root / _ROWS.format(split), rows[split])
    for folder in _FOLDERS:
        (brief.root / "coco_2017" / folder).mkdir(parents=True, exist_ok=True)
    return Truth("openpsg_gcg", tuple(samples), tuple(rejects))
