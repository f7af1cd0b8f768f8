"""The tensors of an example's tuple, and a loader that returns them."""

import numpy as np
import pytest

from shards.glamm import ExampleError, Settings, examples_for
from shards.layout import read_split

pytestmark = pytest.mark.consumers
torch = pytest.importorskip("torch")
loading = pytest.importorskip("shards.load.torch")


def test_tensors_are_the_arrays(converted):
    folder = converted / "ade20k/train"
    (examples,) = examples_for(folder)
    for sample in read_split(folder):
        try:
            example, values = examples.example(sample, 3), examples(sample, 3)
        except ExampleError:
            continue
        arrays = [example.clip, example.sam, example.masks, example.labels]
        for index, array in zip((1, 2, 5, 6), arrays, strict=True):
            np.testing.assert_array_equal(values[index], array)
        assert values[0] == sample.key
        assert (values[3], values[4], values[7]) == (None, [example.conversation], example.resized)
        assert values[8:] == (list(example.questions), list(example.names))


def test_a_blank_label_map_stores_one_value(converted):
    folder = converted / "refcoco/train"
    (examples,) = examples_for(folder, Settings(clip_side=8, sam_side=8))
    sample = next(read_split(folder))
    label = examples(sample, 0)[6]
    assert label.shape == (sample.image.size.height, sample.image.size.width)
    assert label.dtype == torch.int64
    assert label.untyped_storage().nbytes() == 8
    assert (label == 255).all()


@pytest.mark.parametrize(("name", "dtype"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_half_precision_equals_torchs(converted, name, dtype):
    folder = converted / "refcoco/train"
    sample = next(read_split(folder))
    full, half = (
        examples_for(folder, Settings(precision=each))[0](sample, 0) for each in ("fp32", name)
    )
    for index in (1, 2):
        assert half[index].dtype == getattr(torch, dtype)
        assert torch.equal(half[index], full[index].to(half[index].dtype))


@pytest.mark.parametrize("expand", ["", "captions"])
def test_a_loader_returns_examples(converted, expand):
    folder = converted / "coco_captions/train"
    examples = examples_for(folder, Settings(clip_side=8), expand=expand)
    loader = loading.ShardLoader(folder, 2, expand=expand, example=examples)
    loaded = [(each[0], each[9][0]) for batch in loader for each in batch]
    every = [(s.key, caption) for s in read_split(folder) for caption in s.captions]
    assert set(loaded) <= set(every)
    if expand:
        assert len(loaded) == len(every) // 2 * 2
        assert len(set(loaded)) >= len(set(every)) - 1
    else:
        assert len({key for key, _ in loaded}) == len(loaded)


def test_every_batch_of_the_references_mixture_has_one_family(converted):
    mixture = loading.Mixture.read("finetune", converted)
    made = examples_for(mixture, Settings(clip_side=8, sam_side=16))
    families = {each.source: each.family for each in made}
    loader = loading.ShardLoader(mixture, 4, example=made, options=loading.LoaderOptions(skip=99))
    found = [{families[each[0].partition("-")[0]] for each in batch} for batch in loader]
    assert {len(each) for each in found} == {1}
    assert set.union(*found) == {"seg", "reg", "cap"}
