"""The tuple's tensors, and a loader that makes them."""

import numpy as np
import pytest

from shards.glamm import ExampleError, Settings, examples_for
from shards.layout import read_split

pytestmark = pytest.mark.consumers
torch = pytest.importorskip("torch")
loading = pytest.importorskip("shards.load.torch")


def test_tensors_are_the_arrays(converted):
    folder = converted / "ade20k/train"
    (made,) = examples_for(folder)
    for sample in read_split(folder):
        try:
            example, found = made.example(sample, 3), made(sample, 3)
        except ExampleError:
            continue
        arrays = [example.clip, example.sam, example.masks, example.labels]
        for place, array in zip((1, 2, 5, 6), arrays, strict=True):
            np.testing.assert_array_equal(found[place], array)
        assert found[0] == sample.key
        assert (found[3], found[4], found[7]) == (None, [example.conversation], example.resized)
        assert found[8:] == (list(example.questions), list(example.names))


def test_a_blank_label_map_is_one_number(converted):
    folder = converted / "refcoco/train"
    (made,) = examples_for(folder, Settings(clip_side=8, sam_side=8))
    sample = next(read_split(folder))
    label = made(sample, 0)[6]
    assert label.shape == (sample.image.size.height, sample.image.size.width)
    assert label.dtype == torch.int64
    assert label.untyped_storage().nbytes() == 8
    assert (label == 255).all()


@pytest.mark.parametrize(("name", "kind"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_half_precision_is_torchs(converted, name, kind):
    folder = converted / "refcoco/train"
    sample = next(read_split(folder))
    full, half = (
        examples_for(folder, Settings(precision=each))[0](sample, 0) for each in ("fp32", name)
    )
    for place in (1, 2):
        assert half[place].dtype == getattr(torch, kind)
        assert torch.equal(half[place], full[place].to(half[place].dtype))


@pytest.mark.parametrize("expand", ["", "captions"])
def test_a_loader_makes_examples(converted, expand):
    folder = converted / "coco_captions/train"
    made = examples_for(folder, Settings(clip_side=8), expand=expand)
    loader = loading.ShardLoader(folder, 2, expand=expand, example=made)
    found = [(each[0], each[9][0]) for batch in loader for each in batch]
    every = [(s.key, caption) for s in read_split(folder) for caption in s.captions]
    assert set(found) <= set(every)
    if expand:
        assert len(found) == len(every) // 2 * 2
        assert len(set(found)) >= len(set(every)) - 1
    else:
        assert len({key for key, _ in found}) == len(found)


def test_every_batch_of_the_references_mixture_is_of_one_family(converted):
    mixture = loading.Mixture.read("finetune", converted)
    made = examples_for(mixture, Settings(clip_side=8, sam_side=16))
    families = {each.source: each.family for each in made}
    loader = loading.ShardLoader(mixture, 4, example=made, options=loading.LoaderOptions(skip=99))
    found = [{families[each[0].partition("-")[0]] for each in batch} for batch in loader]
    assert {len(each) for each in found} == {1}
    assert set.union(*found) == {"seg", "reg", "cap"}
