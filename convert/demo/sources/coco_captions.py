"""COCO's captions, written as carelessly as people wrote them."""

from convert.demo.files.coco import TRAIN_2017, VAL_2017, header, image_row
from convert.demo.files.files import write_json
from convert.demo.scene.studies import MENDED, REJECTED, Brief, Study, plan_studies
from convert.demo.truth import TrueReject, TrueSample, Truth
from convert.demo.words.tell import write_captions

_FOLDERS = {"train": TRAIN_2017, "val": VAL_2017}
_FIRST = 391_895


def draw_coco_captions(brief: Brief) -> Truth:
    """A captions file and a folder of photos for each split."""
    images: dict[str, list[object]] = {split: [] for split in _FOLDERS}
    rows: dict[str, list[tuple[int, object]]] = {split: [] for split in _FOLDERS}
    samples, rejects = [], []
    defects = (*REJECTED, *MENDED, "image row gone")
    for study in plan_studies(brief, "coco", _FIRST, tuple(_FOLDERS), defects):
        name, key = f"{study.number:012d}.jpg", f"{study.number:012d}"
        photo = f"{_FOLDERS[study.split]}/{name}"
        study.save(brief.root / photo)
        written = _write(study)
        rows[study.split] += [
            (number, {"image_id": study.number, "id": study.number * 10 + number, "caption": text})
            for number, text in enumerate(written)
        ]
        if study.defect == "image row gone":
            rejects.append(TrueReject(key, study.split, "AnnotationError"))
            continue
        images[study.split].append(image_row(study, name))
        if study.error:
            rejects.append(TrueReject(key, study.split, study.error))
        else:
            captions = tuple(text.strip() for text in written)
            samples.append(TrueSample(key, study.split, photo, study.size, captions))
    for split, folder in _FOLDERS.items():
        # Upstream's rows are not sorted by photo either.
        shuffled = [row for _, row in sorted(rows[split], key=lambda entry: entry[0])]
        value = {**header(), "images": images[split], "annotations": shuffled}
        write_json(brief.root / f"coco_2017/annotations/captions_{split}2017.json", value)
        (brief.root / folder).mkdir(parents=True, exist_ok=True)
    return Truth("coco_captions", tuple(samples), tuple(rejects))


def _write(study: Study) -> list[str]:
    """Captions with the white space, quotes and shouting of the real ones."""
    first, second, third, fourth, *rest = write_captions(study.scene, study.words)
    captions = [first, f"{second} ", f'"{third}"', f"{fourth}\n", *rest]
    match study.number % 4:
        case 0:
            captions[-1] = f" {captions[-1].upper()}"
        case 1:
            captions[-1] = captions[-1].replace(" ", "\n", 1)
        case 2:
            captions[-1] = f"\t{captions[-1].lower()}  \n"
    return captions
