"""Real photos, laid out as tiny sources: each becomes a sample or a row that says why not."""

import contextlib
import io
import json
import shutil

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from convert.job.task import Rejection
from convert.run import run
from shards.layout import read_split
from shards.manifest import read_manifest
from tests.conftest import REPOSITORY

# These tests read the photos with Pillow too, which has a word to say about some of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file"),
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data"),
]
ORIENTATION = 0x0112
REJECTED = {
    "defects/broken.png": "ImageDecodeError",
    "defects/broken_data_stream.png": "ImageDecodeError",
    "defects/truncated_image.png": "ImageDecodeError",
    "defects/truncated_jpeg.jpg": "ImageDecodeError",
    # Its scan holds bytes that belong to no block; lenient decoders guess their way past them.
    "defects/hopper_bad_exif.jpg": "ImageDecodeError",
}


@pytest.fixture(scope="module")
def captions(shared, tmp_path_factory):
    """Photos of every kind as a captions source: (root, out, photo by key)."""
    root, out = tmp_path_factory.mktemp("real"), tmp_path_factory.mktemp("real-shards")
    folder = root / "coco_2017/train2017"
    folder.mkdir(parents=True)
    (root / "coco_2017/annotations").mkdir()
    kinds = ("sam", "sam_like", "coco_stuff/train_img", "coco_stuff/val_img", "defects", "exif")
    photos = sorted(path for kind in kinds for path in (shared / "real" / kind).iterdir())
    images, rows, by_key = [], [], {}
    for number, path in enumerate(photos, start=1):
        shutil.copy(path, folder / f"{number:012d}.jpg")
        height, width = upright_size(path)
        file_name = f"{number:012d}.jpg"
        images.append({"id": number, "file_name": file_name, "height": height, "width": width})
        rows.append({"id": number, "image_id": number, "caption": path.name})
        by_key[f"coco_captions-{number:012d}"] = path.relative_to(shared / "real").as_posix()
    captions = {"images": images, "annotations": rows}
    (root / "coco_2017/annotations/captions_train2017.json").write_text(json.dumps(captions))
    code = run(source=["coco_captions"], workers=0, root=root, out=out, max_rejected=1.0)
    assert code == 0
    return shared / "real", out / "coco_captions/train", by_key


def upright_size(path):
    """What an annotator who sees the photo upright would write: (height, width)."""
    height = width = 1
    with contextlib.suppress(OSError, SyntaxError), Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION, 1) > 4:
            return width, height
    return height, width


def test_each_is_a_sample_or_a_row(captions):
    _, folder, by_key = captions
    rows = [
        row
        for path in folder.glob("*.rejects.jsonl")
        for row in msgspec.json.Decoder(Rejection).decode_lines(path.read_bytes())
    ]
    rejected = {by_key[f"coco_captions-{row.item}"]: row.error for row in rows}
    assert rejected == REJECTED
    converted = {by_key[sample.key] for sample in read_split(folder)}
    assert converted == set(by_key.values()) - set(REJECTED)


def test_stored_pixels_are_those_of_an_ordinary_reader(captions):
    real, folder, by_key = captions
    for sample in read_split(folder):
        with Image.open(real / by_key[sample.key]) as image:
            wide = image.mode.startswith("I")
            narrow = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if wide else image
            upright = ImageOps.exif_transpose(narrow).convert("RGB")
        size = sample.image.size
        assert (sample.original_size.height, sample.original_size.width) == upright.size[::-1]
        expected = upright.resize((size.width, size.height), Image.Resampling.BILINEAR)
        with Image.open(io.BytesIO(sample.image.data)) as image:
            assert image.mode == "RGB"
            assert not image.info.keys() & {"exif", "icc_profile", "photoshop", "comment"}
            error = np.asarray(image).astype(float) - np.asarray(expected)
        psnr = 10 * np.log10(255**2 / max((error**2).mean(), 1e-9))
        # Some of the defects are tiny and of pure colours, which halved chroma blurs.
        assert psnr > (20 if by_key[sample.key].startswith("defects") else 30), by_key[sample.key]


def test_what_was_normalised_is_counted(captions):
    _, folder, by_key = captions
    notes = read_manifest(folder).tally.notes
    photos = sum(count for note, count in notes.items() if note.startswith("photo "))
    assert photos == len(by_key) - len(REJECTED)
    assert notes["photo kept"] >= 12
    assert notes["photo scaled down"] >= 12
    # Four of the exif photos and some defects carry a turn that their sizes show.
    assert "EXIF turn applied: annotation cannot tell" in notes


def test_ade20k_label_maps(shared, tmp_path):
    root, real = tmp_path / "data", shared / "real" / "ade20k"
    photos = root / "Semantic_Segm/ade20k/images/validation"
    labels = root / "Semantic_Segm/ade20k/annotations/validation"
    photos.mkdir(parents=True)
    labels.mkdir(parents=True)
    for path in real.glob("ADE_val_*"):
        shutil.copy(path, photos if path.suffix == ".jpg" else labels)
    # The edition people take for it by mistake: colours instead of class numbers.
    shutil.copy(real / "ADE_val_00000001.jpg", photos / "ADE_val_00000003.jpg")
    shutil.copy(real / "ADE_train_00000970_raw.png", labels / "ADE_val_00000003.png")
    out = tmp_path / "out"
    assert run(source=["ade20k"], workers=0, root=root, out=out, max_rejected=0.5) == 0
    samples = {sample.key: sample for sample in read_split(out / "ade20k/val")}
    for stem in ("ADE_val_00000001", "ADE_val_00000002"):
        upstream = np.asarray(Image.open(real / f"{stem}.png")).astype(int)
        expected = np.where(upstream == 0, 255, upstream - 1)
        stored = samples[f"ade20k-{stem}"].labels
        assert stored is not None
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored.png))), expected)
    assert read_manifest(out / "ade20k/val").tally.rejected == {"LabelMapError": 1}


def test_table_of_ade20k_is_upstreams(shared):
    """150 names in the order of objectInfo150, as far as the short names go."""
    rows = (shared / "real/classes/objectInfo150.csv").read_text().splitlines()[1:]
    table = json.loads((REPOSITORY / "configs/classes/ade20k.json").read_text())["classes"]
    assert [row["value"] for row in table] == list(range(1, 151))
    assert [row["id"] for row in table] == list(range(150))
    for row, line in zip(table, rows, strict=True):
        number, *_, names = line.split(",", 5)
        assert int(number) == row["value"]
        upstream = names.strip('"').replace(";", " ").split()
        assert set(row["name"].replace("-", " ").split()) & set(upstream), (row, names)
