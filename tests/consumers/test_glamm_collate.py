"""The reference's own collate function on our examples.

`GLAMM_REFERENCE` is the path of a checkout of mbzuai-oryx/groundingLMM.
"""

import importlib
import os
import sys
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from shards.classes import read_classes
from shards.glamm import SOURCES, WORDING, ExampleError, Examples, Settings, examples_for
from shards.glamm.sources import ITEM_COLUMNS
from shards.layout import read_split

pytestmark = [pytest.mark.consumers, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
ShardLoader = pytest.importorskip("shards.load.torch").ShardLoader

READERS = {
    "gcg": "gcg_datasets.GranDf_gcg_ds",
    "flickr": "region_datasets.Flickr_Region_ds",
    "grand_region": "region_datasets.GranD_ReferringRegion_ds",
    "region": "region_datasets.RefCOCO_VG_Region_ds",
    "refer": "segm_datasets.RefCOCO_Segm_ds",
    "semantic": "segm_datasets.Semantic_Segm_ds",
    "caption": "caption_datasets.COCO_Caption_ds",
    "grand_caption": "caption_datasets.GranD_ShortCaption_ds",
    "llava": "caption_datasets.LLavaInstruct_vqa_ds",
}


def stub(name, **attributes):
    module = ModuleType(name)
    module.__path__ = []
    for key, value in attributes.items():
        setattr(module, key, value)
    return module


def resize(image, size):
    """torchvision's, of a PIL image: antialiased bilinear, size as (height, width)."""
    return image.resize(size[::-1], Image.Resampling.BILINEAR)


@contextmanager
def load_reference():
    """The checkout's modules by short names; stubs replace imports that are not needed here."""
    folder = Path(os.environ.get("GLAMM_REFERENCE", ""))
    if not (folder / "dataset/dataset.py").is_file():
        pytest.skip("GLAMM_REFERENCE is not the path of a checkout of the reference")
    if find_spec("transformers") is not None:
        assert importlib.import_module(
            "transformers"
        ).CLIPImageProcessor  # before the stubs: it searches sys.modules
    before = dict(sys.modules)
    anything = SimpleNamespace
    stubs = {
        "torchvision": stub("torchvision"),
        "torchvision.transforms": stub("torchvision.transforms"),
        "torchvision.transforms.functional": stub(
            "torchvision.transforms.functional", resize=resize, to_pil_image=Image.fromarray
        ),
        "matplotlib": stub("matplotlib"),
        "matplotlib.pyplot": stub("matplotlib.pyplot"),
        "matplotlib.collections": stub("matplotlib.collections", PatchCollection=anything),
        "matplotlib.patches": stub("matplotlib.patches", Polygon=anything, Rectangle=anything),
        "skimage": stub("skimage"),
        "skimage.io": stub("skimage.io"),
    }
    if find_spec("cv2") is None:
        stubs["cv2"] = stub("cv2")
    if find_spec("transformers") is None:
        known = {"StoppingCriteria": object, "CLIPImageProcessor": anything}
        stubs["transformers"] = stub("transformers", **known)
    for name in ("model", "model.llava", "model.SAM", "model.SAM.utils"):
        stubs[name] = stub(name)
        stubs[name].__path__ = [str(folder / name.replace(".", "/"))]
    sys.modules.update(stubs)
    sys.path.insert(0, str(folder))
    try:
        modules = {
            name: importlib.import_module(f"dataset.{path}") for name, path in READERS.items()
        }
        modules["collate"] = importlib.import_module("dataset.dataset")
        modules["prompts"] = importlib.import_module("dataset.utils.utils")
        library: Any = importlib.import_module("model.llava.conversation")
        library.default_conversation = library.conv_templates["llava_v1"]  # as train.py does
        modules["transforms"] = importlib.import_module("model.SAM.utils.transforms")
        yield SimpleNamespace(**modules)
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - set(before):
            del sys.modules[name]
        sys.modules.update(before)


class CharacterTokenizer:
    """One token for each character and special token; like Llama's, it starts with a BOS token."""

    bos_token_id, pad_token_id, model_max_length = 1, 0, 10_000
    special = ("</s>", "<im_start>", "<im_end>", "[SEG]", "<bbox>", "<p>", "</p>")

    def __call__(self, text):
        for number, token in enumerate(self.special):
            text = text.replace(token, chr(0xE000 + number))
        return SimpleNamespace(input_ids=[self.bos_token_id, *(2 + ord(one) for one in text)])


def examples(source, folder, prompts=WORDING, **settings):
    expand = ITEM_COLUMNS[SOURCES[source].task] or ""
    return Examples(
        source, Settings(**settings), prompts, tuple(read_classes(folder)), expand=expand
    )


def first_examples(make, folder, count=4):
    """(sample, the example's tuple) of the first samples that have one."""
    pairs: list[tuple[Any, Any]] = []
    for sample in read_split(folder):
        try:
            pairs.append((sample, make(sample, len(pairs))))
        except ExampleError:
            continue
    return pairs[:count]


@pytest.fixture(scope="module")
def reference():
    with load_reference() as modules:
        yield modules


@pytest.mark.parametrize("source", SOURCES)
def test_the_references_collate_function_takes_our_examples(reference, converted, source):
    folder = converted / source / "train"
    make = examples(source, folder)
    pairs = first_examples(make, folder)
    batch = reference.collate.custom_collate_fn(
        [t for _, t in pairs], tokenizer=CharacterTokenizer()
    )
    count = len(pairs)
    assert count
    assert batch["global_enc_images"].shape == (count, 3, 336, 336)
    assert batch["global_enc_images"].dtype == torch.float32
    assert batch["image_paths"] == [sample.key for sample, _ in pairs]
    assert batch["offset"].tolist() == list(range(count + 1))
    ids, targets = batch["input_ids"], batch["labels"]
    assert ((ids == -200).sum(1) == 1).all()  # one photo each
    learned = targets != -100
    assert learned.any(1).all()
    assert (targets[learned] == ids[learned]).all()
    ids_of = [2 + 0xE000 + CharacterTokenizer.special.index(token) for token in ("[SEG]", "<bbox>")]
    segments, boxes = ((ids == each).sum(1).tolist() for each in ids_of)
    assert (batch["bboxes"] is None) == (make.family != "reg")
    if make.family == "reg":
        assert [len(each) for each in batch["bboxes"]] == boxes
        assert all(each.dtype == torch.float32 for each in batch["bboxes"])
    if make.family == "seg":
        assert batch["grounding_enc_images"].shape == (count, 3, 1024, 1024)
        assert [len(masks) for masks in batch["masks_list"]] == segments
        for (sample, _), masks, label in zip(
            pairs, batch["masks_list"], batch["label_list"], strict=True
        ):
            size = (sample.image.size.height, sample.image.size.width)
            assert masks.shape[1:] == label.shape == size
            assert masks.dtype == torch.float32
            assert set(masks.unique().tolist()) <= {0.0, 1.0}
        assert all(max(each) == 1024 for each in batch["resize_list"])
    else:
        assert batch["grounding_enc_images"] is None
        assert sum(segments) == 0


def test_a_loader_with_the_references_collate_function(reference, converted):
    """The complete replacement of the reference's datasets and samplers."""
    folder = converted / "refcoco_region/train"
    collate = partial(reference.collate.custom_collate_fn, tokenizer=CharacterTokenizer())
    make = examples_for(folder, expand="phrases")
    loader = ShardLoader(folder, 2, expand="phrases", example=make, collate=collate)
    keys = [key for batch in loader for key in batch["image_paths"]]
    phrases = sum(len(r.phrases) for sample in read_split(folder) for r in sample.regions)
    assert len(keys) == phrases // 2 * 2
