"""The reference's own dataset classes against our examples.

They read the miniature's files, are forced to make the same random choices as our example, and must
then return the same ten values. `GLAMM_REFERENCE` is the path of a checkout of
mbzuai-oryx/groundingLMM; cv2 and transformers are needed as well.
"""

import copy
import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from shards.classes import read_classes
from shards.glamm import ExampleError, Examples, Prompts
from shards.layout import read_split
from tests.consumers.test_glamm_collate import examples, load_reference
from tests.oracle.test_plain_readers import LABELS, REFS, Plain
from tests.oracle.test_plain_readers_of_words import SPLITS, read_database

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")

CLIP = {
    "size": {"shortest_edge": 336},
    "crop_size": {"height": 336, "width": 336},
    "resample": Image.Resampling.BICUBIC,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
"""preprocessor_config.json of openai/clip-vit-large-patch14-336."""


@pytest.fixture(scope="module")
def reference():
    with load_reference() as modules:
        yield modules


@pytest.fixture(scope="module")
def readers(reference):
    pytest.importorskip("cv2")
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessor(**CLIP)
    transform = reference.transforms.ResizeLongestSide(1024)
    begin = Prompts.of_reference(reference.prompts).opening

    def make(module, name, **fields):
        """A dataset object that has read no file, and whose lists have one entry each."""
        cls = getattr(getattr(reference, module), name)
        reader = cls.__new__(cls)
        fields = {"begin_str": begin, **fields}
        for key, value in fields.items():
            setattr(reader, key, value)
        reader.global_enc_processor, reader.transform = processor, transform
        reader.validation, reader.random_sampling = False, True
        reader.max_gt_per_img, reader.num_classes_per_sample = 10, 3
        return reader

    return SimpleNamespace(make=make, **vars(reference))


@pytest.fixture(params=range(2))
def prompts(request, reference, monkeypatch):
    """One of the reference's own prompts of each kind, for the reference and for us."""
    whole = Prompts.of_reference(reference.prompts)
    fields: dict[str, Any] = {
        name: value[7 * request.param % len(value) :][:1] if isinstance(value, tuple) else value
        for name in Prompts.__slots__
        for value in [getattr(whole, name)]
    }
    lists = {
        "CAPTION_QUESTIONS": "caption_questions",
        "REGION_QUESTIONS": "region_questions",
        "REGION_GROUP_QUESTIONS": "group_questions",
        "GCG_QUESTIONS": "grounded_questions",
        "SEG_QUESTIONS": "segment_questions",
        "ANSWER_LIST": "segment_answers",
    }
    for module in vars(reference).values():
        for name, field in lists.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, list(fields[field]))
    return Prompts(**fields)


def assert_same(ours, theirs, sample):
    """All ten values; pixels only if the photo is stored unscaled, masks at the stored size."""
    names = (
        "path", "clip", "sam", "boxes", "text", "masks", "label", "resize", "questions", "names",
    )  # fmt: skip
    mine, other = (dict(zip(names, each, strict=True)) for each in (ours, theirs))
    assert mine["text"] == other["text"]
    assert list(mine["questions"]) == list(other["questions"])
    assert list(mine["names"]) == list(other["names"])
    assert mine["resize"] == other["resize"]
    unscaled = sample.image.size == sample.original_size
    for name in ("clip", "sam"):
        assert (mine[name] is None) == (other[name] is None)
        if mine[name] is not None:
            assert mine[name].shape == other[name].shape
            assert mine[name].dtype == other[name].dtype
            assert not unscaled or torch.equal(mine[name], other[name])
    assert (mine["boxes"] is None) == (other["boxes"] is None)
    if mine["boxes"] is not None:
        inside = other["boxes"].clip(0, 1)  # stored boxes are clipped
        np.testing.assert_allclose(mine["boxes"][: len(inside)], inside, rtol=0, atol=1e-4)
    assert (mine["masks"] is None) == (other["masks"] is None)
    if mine["masks"] is not None:
        size = (sample.image.size.width, sample.image.size.height)
        for one, another in zip(mine["masks"], other["masks"], strict=True):
            whole = Image.fromarray((another.numpy() > 0).astype(np.uint8))
            small = whole.resize(size, Image.Resampling.NEAREST)
            np.testing.assert_array_equal(one.numpy(), np.asarray(small))
        assert not unscaled or mine["label"].shape == other["label"].shape


def samples_by_stem(source, folder):
    return {sample.key.removeprefix(f"{source}-"): sample for sample in read_split(folder)}


@pytest.mark.parametrize(
    ("source", "name", "file", "photos"),
    [
        ("grandf_ha", "GranDfDataset", "GranDf_HA_GCG_train", "GranDf_HA_images/train"),
        ("openpsg_gcg", "OpenPsgGCGDataset", "OpenPsgGCG_train", "coco_2017"),
        ("refcocog_gcg", "RefCOCOgGCGDataset", "RefCOCOg_GCG_train", "coco_2014/train2014"),
    ],
)
def test_grounded_captions(  # noqa: PLR0913, PLR0917 - fixtures
    readers, prompts, miniature, converted, source, name, file, photos
):
    folder = converted / source / "train"
    samples, make = samples_by_stem(source, folder), examples(source, folder, prompts)
    reader = readers.make(
        "gcg",
        name,
        question_templates=prompts.grounded_questions,
        image_folder=str(miniature.root / photos),
    )
    seen: dict[str, int] = {}
    compared = 0
    for row in json.loads((miniature.root / f"GranDf/annotations/train/{file}.json").read_text()):
        row = next(iter(row.values())) if source == "refcocog_gcg" else row  # noqa: PLW2901 - adapted
        stem = Path(row.get("file_name") or row["img_file_name"]).stem
        number = seen[stem] = seen.get(stem, -1) + 1
        sample = samples[stem]
        if source == "refcocog_gcg":
            row, sample = without_known_faults(row, sample)  # noqa: PLW2901 - adapted
        whole = {key: value for key, value in row.get("groundings", {}).items() if value}
        parsed = reader._parse_annotations({**row, "groundings": whole})
        spans = sorted(parsed["tokens_positive"])
        if not spans or any(a[1] > b[0] for a, b in pairwise(spans)):
            continue
        path = str(miniature.root / photos / parsed["file_name"])
        theirs = reader.process_data({**parsed, "image_path": path})
        *ours, names = make(sample, 0, number)
        if source == "refcocog_gcg":
            names = [name.lower() for name in names]
        assert_same((*ours, names), theirs, sample)
        compared += 1
    assert compared > 2


def without_known_faults(row, sample):
    """Row and sample with those phrases only that occur once and in no other phrase.

    The reference misses all others, cuts them, or uses their first occurrence. The row's phrases
    are in lower case and in the caption's order.
    """
    caption = row["caption"].strip('"').strip().lower()
    refs = [{**ref, "sentence": ref["sentence"].lower()} for ref in row["refs"]]
    texts = [ref["sentence"] for ref in refs]
    once = {text for text in texts if texts.count(text) == caption.count(text) == 1}
    once = {text for text in once if not any(text in other for other in once - {text})}
    refs = [ref for ref in refs if ref["sentence"] in once]
    refs.sort(key=lambda ref: caption.find(ref["sentence"]))
    regions = tuple(region for region in sample.regions if region.phrases[0].lower() in once)
    return {**row, "refs": refs}, replace(sample, regions=regions)


def test_grounded_sentences(readers, prompts, miniature, converted):
    folder = converted / "flickr_gcg/train"
    samples, make = samples_by_stem("flickr_gcg", folder), examples("flickr_gcg", folder, prompts)
    reader = readers.make(
        "gcg", "Flickr30kGCGDataset", question_templates=prompts.grounded_questions
    )
    annotations = miniature.root / SPLITS["flickr_gcg", "train"][1]
    compared = 0
    for stem, number, image, rows in sentences(annotations):
        parsed = reader._parse_annotations(image, rows)
        spans = sorted(parsed["tokens_positive"])
        if not spans or any(a[1] > b[0] for a, b in pairwise(spans)):
            continue
        path = str(miniature.root / "flikcr_30k/train" / image["file_name"])
        theirs = reader.process_data({**parsed, "image_path": path})
        assert_same(make(samples[stem], 0, number), theirs, samples[stem])
        compared += 1
    assert compared > 2


def sentences(annotations, *, words=0):
    """(stem, index among the rows of its photo, row of the image, its annotations)."""
    file = json.loads(annotations.read_text())
    seen: dict[str, int] = {}
    for image in file["images"]:
        image = {**image, "height": int(image["height"]), "width": int(image["width"])}  # noqa: PLW2901 - adapted
        if len(image.get("caption", "").split(" ")) < words:
            continue
        stem = Path(image["file_name"]).stem
        seen[stem] = seen.get(stem, -1) + 1
        rows = [row for row in file["annotations"] if row["image_id"] == image["id"]]
        yield stem, seen[stem], image, rows


def force_order(monkeypatch, ours, labels, boxes, size):
    """Make the reference draw the regions that our example drew."""
    order: list[int] = []
    sides = [size.width, size.height] * 2
    for name, box in zip(ours[9], ours[3], strict=False):
        clipped = np.clip(np.asarray(boxes, np.float64) / sides, 0, 1)
        matches = [
            number
            for number, label in enumerate(labels)
            if number not in order
            and label.strip() == name
            and np.allclose(clipped[number], box, rtol=0, atol=1e-4)
        ]
        order.append(matches[0])
    monkeypatch.setattr(torch, "randperm", lambda count: torch.tensor(order))  # noqa: ARG005 - torch passes it
    return order


@pytest.mark.parametrize(
    ("source", "name", "photos"),
    [
        ("refcoco_region", "RefCocoRegDataset", "coco_2014/train2014"),
        ("refcoco_plus_region", "RefCocoPRegDataset", "coco_2014/train2014"),
        ("refcocog_region", "RefCocoGRegDataset", "coco_2014/train2014"),
        ("visual_genome", "VisualGenomeRegDataset", "visual_genome/images"),
    ],
)
def test_regions(readers, prompts, miniature, converted, monkeypatch, source, name, photos):  # noqa: PLR0913, PLR0917 - fixtures
    folder = converted / source / "train"
    samples, make = samples_by_stem(source, folder), examples(source, folder, prompts)
    alone = make.effective_task == "expression"
    reader = readers.make(
        "region",
        name,
        begin_str=prompts.expression_opening if alone else prompts.opening,
        question_templates=prompts.expression_questions if alone else prompts.region_questions,
    )
    compared = 0
    for stem, _, image, rows in sentences(miniature.root / SPLITS[source, "train"][1]):
        sample = samples.get(stem)
        parsed = reader._parse_annotations(image, [row for row in rows if not row.get("ignore")])
        if sample is None or not parsed["labels"]:
            continue
        item_index = None
        if source != "visual_genome":
            named = [(r.ids["row_ids"], p) for r in sample.regions for p in r.phrases]
            item_index = next(
                number
                for number, (_, phrase) in enumerate(named)
                if phrase == image["caption"].strip() and rows[0]["id"] in named[number][0]
            )
        ours = make(sample, 5, item_index)
        force_order(monkeypatch, ours, parsed["labels"], parsed["bboxes"], sample.original_size)
        path = str(miniature.root / photos / image["file_name"])
        theirs = reader.process_data(
            {"image_path": path, "bbox": parsed["bboxes"], "labels": parsed["labels"]}
        )
        assert_same(ours, theirs, sample)
        compared += 1
    assert compared > 2


def test_regions_of_sentences(readers, prompts, miniature, converted, monkeypatch):
    folder = converted / "flickr30k/train"
    samples, make = samples_by_stem("flickr30k", folder), examples("flickr30k", folder, prompts)
    reader = readers.make("flickr", "Flickr30kRegDataset")
    reader.coco = SimpleNamespace(getCatIds=lambda **_: [])
    compared = 0
    for stem, number, image, rows in sentences(
        miniature.root / SPLITS["flickr30k", "train"][1], words=3
    ):
        parsed = reader._parse_annotations(image, rows)
        if stem not in samples or not parsed["labels"]:
            continue
        sample = samples[stem]
        ours = make(sample, 5, number)
        force_order(monkeypatch, ours, parsed["labels"], parsed["bboxes"], sample.original_size)
        path = str(miniature.root / "flikcr_30k/train" / image["file_name"])
        theirs = reader.process_data(
            {**parsed, "image_path": path, "bbox": parsed["bboxes"], "caption": image["caption"]}
        )
        assert_same(ours, theirs, sample)
        assert len(ours[3]) == 2 * len(theirs[3])
        compared += 1
    assert compared > 2


def test_regions_of_grand(readers, prompts, miniature, converted):
    folder = converted / "grand_referring/train"
    samples = samples_by_stem("grand_referring", folder)
    make = Examples("grand_referring", prompts=prompts, task="regions", expand="phrases")
    reader = readers.make(
        "grand_region", "GrandReferRegDataset", question_templates=prompts.region_questions
    )
    database = miniature.root / SPLITS["grand_referring", "train"][1]
    compared = 0
    for key, _, rows in read_database(miniature.root, database):
        sample = samples[Path(key).stem]
        item_index = 0
        for row, region in zip(rows, sample.regions, strict=True):
            if region.phrases == (row["attribute"],) and region.box is not None:
                parsed = reader._parse_annotations([row])
                path = str(miniature.root / "GranD_Data/images" / key)
                theirs = reader.process_data(
                    {"image_path": path, "bbox": parsed["bboxes"], "labels": parsed["labels"]}
                )
                assert_same(make(sample, 1, item_index), theirs, sample)
                compared += 1
            item_index += len(region.phrases)
    assert compared > 2


@pytest.mark.parametrize("source", REFS)
def test_expressions(readers, prompts, miniature, converted, monkeypatch, source):  # noqa: PLR0913, PLR0917 - fixtures
    name, split_by = REFS[source]
    base = miniature.root / "Refer_Segm" / name
    with (base / f"refs({split_by}).p").open("rb") as stream:
        refs = [ref for ref in Plain(stream).load() if ref["split"] == "train"]
    file = json.loads((base / "instances.json").read_text())
    folder = converted / source / "train"
    samples, make = samples_by_stem(source, folder), examples(source, folder, prompts)
    reader = readers.make(
        "refer",
        "ReferSegmDataset",
        question_templates=prompts.segment_questions,
        answer_list=prompts.segment_answers,
        refer_seg_ds_list=[name],
    )
    photos = "Refer_Segm/images/saiapr_tc-12" if source == "refclef" else "coco_2014/train2014"
    compared = 0
    for image in file["images"]:
        own = [ref for ref in refs if ref["image_id"] == image["id"]]
        sample = samples.get(f"{image['id']:012d}")
        expressions = [(s["sent"], ref["ann_id"]) for ref in own for s in ref["sentences"]]
        if sample is None or any(region.mask is None for region in sample.regions):
            continue
        ours = make(sample, 2)
        by_phrase = {
            (p.strip(), number): region.ids["ann_id"]
            for number, region in enumerate(sample.regions)
            for p in region.phrases
        }
        texts = [text.strip() for text, _ in expressions]
        if len(set(texts)) < len(texts) or len(by_phrase) != len(expressions):
            continue  # equal texts: the words do not say which object it is
        path = str(miniature.root / photos / image["file_name"])
        reader.refer_segm_data = {
            name: {
                "images": [{**image, "file_name": path}],
                "annotations": copy.deepcopy({row["id"]: row for row in file["annotations"]}),
                "img2refs": {image["id"]: own},
            }
        }
        chosen = [texts.index(each) for each in ours[9]]
        # It keeps the stored order if it uses all expressions; ours is always random.
        reader.num_classes_per_sample = len(chosen)
        monkeypatch.setattr(np.random, "choice", lambda *_, **__: chosen)  # noqa: B023 - used at once
        assert_same(ours, reader[0], sample)
        compared += 1
    assert compared > 1


@pytest.mark.parametrize("source", LABELS)
def test_label_maps(readers, prompts, miniature, converted, monkeypatch, source):  # noqa: PLR0913, PLR0917 - fixtures
    folder = converted / source / "train"
    samples, make = samples_by_stem(source, folder), examples(source, folder, prompts)
    name = {"coco_stuff": "cocostuff"}.get(source, source)
    classes = [info.name.lower() for info in read_classes(folder)]
    reader = readers.make(
        "semantic",
        "SemanticSegmDataset",
        question_templates=prompts.segment_questions,
        answer_list=prompts.segment_answers,
        semantic_seg_ds_list=[name],
        data2classes={name: np.array(classes)},
        cocostuff_class2index={c: i for i, c in enumerate(classes)},
    )
    folders = {
        "ade20k": (
            "Semantic_Segm/ade20k/images/training",
            "Semantic_Segm/ade20k/annotations/training",
        ),
        "coco_stuff": ("coco_2017/train2017", "Semantic_Segm/coco_stuff/train2017"),
        "mapillary": (
            "Semantic_Segm/mapillary/training/images",
            "Semantic_Segm/mapillary/training/v2.0/labels",
        ),
    }
    photos, labels = (miniature.root / each for each in folders[source])
    compared = 0
    for stem, sample in samples.items():
        try:
            ours = make(sample, 3)
        except ExampleError:
            continue
        reader.data2list = {name: ([str(photos / sample.file)], [str(labels / f"{stem}.png")])}
        # With more classes than the photo has it keeps their order and draws nothing.
        reader.num_classes_per_sample = 1
        monkeypatch.setattr(np.random, "choice", lambda *_, **__: list(ours[9]))  # noqa: B023 - used at once
        assert_same(ours, reader[0], sample)
        compared += 1
    assert compared > 2


@pytest.mark.parametrize("source", ["paco_lvis", "pascal_part"])
def test_parts(readers, prompts, miniature, converted, monkeypatch, source):  # noqa: PLR0913, PLR0917 - fixtures
    coco = pytest.importorskip("pycocotools.coco")
    annotations, photos = {
        "paco_lvis": (
            "Semantic_Segm/paco_lvis/annotations/paco_lvis_v1_train.json",
            "coco_2017/train2017",
        ),
        "pascal_part": (
            "Semantic_Segm/pascal_part/train.json",
            "Semantic_Segm/pascal_part/VOCdevkit/VOC2010/JPEGImages",
        ),
    }[source]
    api = coco.COCO(str(miniature.root / annotations))
    folder = converted / source / "train"
    samples, make = samples_by_stem(source, folder), examples(source, folder, prompts)
    table = {}
    for row in api.dataset["categories"]:
        words = [word.split("_(")[0] for word in row["name"].strip().split(":")]
        table[row["id"]] = words[0] if len(words) == 1 else tuple(words)
    reader = readers.make(
        "semantic",
        "SemanticSegmDataset",
        question_templates=prompts.segment_questions,
        answer_list=prompts.segment_answers,
        semantic_seg_ds_list=[source],
        data2classes={source: table},
        dataset_dir="",
    )
    imread = readers.semantic.cv2.imread
    compared = 0
    for sample in samples.values():
        number = int(sample.key.removeprefix(f"{source}-"))
        phrases = [(region, phrase) for region in sample.regions for phrase in region.phrases]
        masked = [n for n, (region, _) in enumerate(phrases) if region.mask is not None]
        for item_index in masked[:4]:
            ours = make(sample, 1, item_index)
            row = api.anns[phrases[item_index][0].ids["ann_id"]]
            reader.data2list = {source: ([number], api)}
            reader.num_classes_per_sample = 1
            drawn = 0.9 if ours[9][0].startswith("the ") else 0.1
            monkeypatch.setattr(np.random, "choice", lambda *_, **__: [row])  # noqa: B023 - used at once
            monkeypatch.setattr(readers.semantic.random, "random", lambda: drawn)  # noqa: B023 - used at once
            path = str(miniature.root / photos / Path(sample.file).name)
            monkeypatch.setattr(readers.semantic.cv2, "imread", lambda _: imread(path))  # noqa: B023 - used at once
            assert_same(ours, reader[0], sample)
            compared += 1
    assert compared > 2


def test_captions(readers, prompts, miniature, converted):
    folder = converted / "coco_captions/train"
    make = examples("coco_captions", folder, prompts)
    reader = readers.make("caption", "CocoCapDataset")
    for sample in read_split(folder):
        path = str(miniature.root / "coco_2017/train2017" / sample.file)
        for number, caption in enumerate(sample.captions):
            theirs = reader.process_data({"image_path": path, "caption": caption})
            assert_same(make(sample, 0, number), theirs, sample)


def test_captions_of_grand(readers, prompts, converted):
    folder = converted / "grand_caption/train"
    make = examples("grand_caption", folder, prompts)
    reader = readers.make("grand_caption", "GrandShortCaptionDataset")
    for sample in read_split(folder):
        for number, caption in enumerate(sample.captions):
            _, texts = reader.create_conversations(caption.strip())
            assert make(sample, 0, number)[4] == texts


def test_conversations(readers, prompts, miniature, converted):
    folder = converted / "llava_instruct/train"
    samples = samples_by_stem("llava_instruct", folder)
    make = examples("llava_instruct", folder, prompts)
    reader = readers.make("llava", "LLaVAInstructDataset")
    reader.image_folder = str(miniature.root / "coco_2017/train2017")
    seen: dict[str, int] = {}
    for row in json.loads((miniature.root / "llava_dataset/llava_instruct_150k.json").read_text()):
        stem = Path(row["image"]).stem
        seen[stem] = seen.get(stem, -1) + 1
        reader.data_infos = [copy.deepcopy(row)]
        assert_same(make(samples[stem], 0, seen[stem]), reader[0], samples[stem])
    assert seen
