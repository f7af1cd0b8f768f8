"""The code of `cuda` on the CPU: everything but nvJPEG, which another decoder replaces."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shards.errors import CorruptShardError, DecodeError  # noqa: E402
from shards.load.torch import LoaderOptions, ShardLoader  # noqa: E402
from shards.load.torch.cuda import letterbox  # noqa: E402
from shards.load.transforms import all_masks  # noqa: E402

pytestmark = pytest.mark.consumers
CPU = torch.device("cpu")


@pytest.fixture
def decoder(monkeypatch):
    """torchvision's function over simplejpeg; `broken` names bytes that it refuses."""
    import simplejpeg

    seen = SimpleNamespace(broken=set(), calls=[])

    def decode_jpeg(coded, mode, device):
        assert (mode, device) == ("RGB", CPU)
        seen.calls.append(len(coded))
        batches = []
        for each in coded:
            data = each.numpy().tobytes()
            if data in seen.broken:
                raise RuntimeError("nvjpegDecodeBatched failed: 7")
            pixels = simplejpeg.decode_jpeg(data, "RGB")
            batches.append(torch.from_numpy(pixels).permute(2, 0, 1))
        return batches

    modules = {name: ModuleType(name) for name in ("torchvision", "torchvision.io")}
    vars(modules["torchvision.io"]).update(
        decode_jpeg=decode_jpeg, ImageReadMode=SimpleNamespace(RGB="RGB")
    )
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return seen


def loaded(folder, decode, **more):
    device = "cpu" if decode == "cuda" else None
    loader = ShardLoader(
        folder, 2, decode=decode, device=device, masks=all_masks, tail="pad", **more
    )
    return [list(batch.samples) for batch in loader], loader


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("source", ["refcoco", "grand_referring", "paco_lvis"])
def test_it_gives_what_the_cpu_gives(converted, decoder, source, threads):
    folder = converted / source / "train"
    here, _ = loaded(folder, "cpu")
    there, _ = loaded(folder, "cuda", options=LoaderOptions(threads=threads))
    assert set(decoder.calls) == {2}  # a batch at a time
    for batch, other in zip(here, there, strict=True):
        for one, two in zip(batch, other, strict=True):
            assert (one.sample, one.seed, one.item_index, tuple(one.regions)) == (
                two.sample, two.seed, two.item_index, two.regions
            )  # fmt: skip
            assert np.array_equal(two.image.permute(1, 2, 0).numpy(), one.image)
            assert two.masks.dtype == torch.bool
            assert np.array_equal(two.masks.numpy(), one.masks)


def test_the_damaged_one_of_a_batch_is_named(converted, decoder):
    folder = converted / "refcoco" / "train"
    samples = [each.sample for batch in loaded(folder, "cpu")[0] for each in batch]
    decoder.broken.add(samples[0].image.data)
    with pytest.raises(CorruptShardError, match=rf"{samples[0].key}\.jpg: nvjpeg"):
        loaded(folder, "cuda")


def test_the_damaged_one_of_a_batch_may_be_skipped(converted, decoder):
    folder = converted / "refcoco" / "train"
    batches = loaded(folder, "cpu")[0]
    samples = [each.sample for batch in batches for each in batch]
    decoder.broken.add(samples[0].image.data)
    lost = sum(each.key == samples[0].key for each in samples)
    batches, loader = loaded(folder, "cuda", options=LoaderOptions(threads=1, skip=lost))
    assert loader.skipped == lost
    assert [each.sample.key for batch in batches for each in batch] == [
        each.key for each in samples if each.key != samples[0].key
    ]


def test_a_region_without_a_mask_cannot_be_painted(converted, decoder):
    def missing(sample, _seed, _item_index):
        return [n for n, region in enumerate(sample.regions) if region.mask is None][:1]

    loader = ShardLoader(
        converted / "visual_genome" / "train", 2, decode="cuda", device="cpu", masks=missing
    )
    with pytest.raises(DecodeError, match="has no mask"):
        list(loader)
    assert decoder.calls == []


def test_a_letterbox_of_a_photo_that_is_a_line():
    _, (size,) = letterbox([torch.zeros((3, 1, 3000), dtype=torch.uint8)], 64, (0,) * 3, (1,) * 3)
    assert (size.height, size.width) == (1, 64)
