"""COCO's captions, with the irregular spelling of the real ones."""

from convert.demo.files.coco import TRAIN_2017, VAL_2017, header, image_row
from convert.demo.files.write import write_json
from convert.demo.scene.photos import REJECTED, REPAIRABLE, DrawnPhoto, DrawOptions, plan_photos
from convert.demo.truth import TrueReject, TrueSample, Truth
from convert.demo.words.captions import write_captions

_FOLDERS = {"train": TRAIN_2017, "val": VAL_2017}
_FIRST = 391_895


def draw_coco_captions(options: DrawOptions) -> Truth:
    """Draw a captions file and a folder of photos for each split."""
    images: dict[str, list[object]] = {split: [] for split in _FOLDERS}
    rows: dict[str, list[tuple[int, object]]] = {split: [] for split in _FOLDERS}
    samples, rejects = [], []
    defects = (*REJECTED, *REPAIRABLE, "image row gone")
    for drawn in plan_photos(options, "coco", _FIRST, tuple(_FOLDERS), defects):
        name, key = f"{drawn.number:012d}.jpg", f"{drawn.number:012d}"
        photo = f"{_FOLDERS[drawn.split]}/{name}"
        drawn.save(options.root / photo)
        written = _write(drawn)
        rows[drawn.split] += [
            (number, {"image_id": drawn.number, "id": drawn.number * 10 + number, "caption": text})
            for number, text in enumerate(written)
        ]
        if drawn.defect == "image row gone":
            rejects.append(TrueReject(key, drawn.split, "AnnotationError"))
            continue
        images[drawn.split].append(image_row(drawn, name))
        if drawn.error:
            rejects.append(TrueReject(key, drawn.split, drawn.error))
        else:
            captions = tuple(text.strip() for text in written)
            samples.append(TrueSample(key, drawn.split, photo, drawn.size, captions))
    for split, folder in _FOLDERS.items():
        # Like upstream's, the rows are not sorted by photo.
        shuffled = [row for _, row in sorted(rows[split], key=lambda entry: entry[0])]
        value = {**header(), "images": images[split], "annotations": shuffled}
        write_json(options.root / f"coco_2017/annotations/captions_{split}2017.json", value)
        (options.root / folder).mkdir(parents=True, exist_ok=True)
    return Truth("coco_captions", tuple(samples), tuple(rejects))


def _write(drawn: DrawnPhoto) -> list[str]:
    """Captions with the white space, quotes and capitals of the real ones."""
    first, second, third, fourth, *rest = write_captions(drawn.scene, drawn.text_rng)
    captions = [first, f"{second} ", f'"{third}"', f"{fourth}\n", *rest]
    match drawn.number % 4:
        case 0:
            captions[-1] = f" {captions[-1].upper()}"
        case 1:
            captions[-1] = captions[-1].replace(" ", "\n", 1)
        case 2:
            captions[-1] = f"\t{captions[-1].lower()}  \n"
    return captions
