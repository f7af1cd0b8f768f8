"""On a GPU: the same photos and masks as on the CPU, which is the reference."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shards.load.torch import LoaderOptions, ShardLoader  # noqa: E402
from shards.load.torch.cuda import letterbox  # noqa: E402
from shards.load.transforms import all_masks  # noqa: E402

pytestmark = pytest.mark.gpu
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture(autouse=True)
def gpu():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")


@pytest.fixture(params=["refcoco", "grand_referring", "paco_lvis", "mapillary"])
def folder(converted, request):
    return converted / request.param / "train"


def both(folder):
    ways = {}
    for decode in ("cpu", "cuda"):
        loader = ShardLoader(folder, 2, decode=decode, masks=all_masks, tail="pad")
        ways[decode] = [each for batch in loader for each in batch.samples]
    return zip(ways["cpu"], ways["cuda"], strict=True)


def test_photos_and_masks_are_those_of_the_cpu(folder):
    for here, there in both(folder):
        assert here.sample == there.sample
        image = there.image.permute(1, 2, 0).cpu().numpy()
        difference = np.abs(image.astype(int) - here.image)
        # nvJPEG rounds differently, and interpolates colour differently at edges
        assert np.mean(difference) < 1
        assert np.percentile(difference, 99) <= 12
        assert np.array_equal(there.masks.cpu().numpy(), here.masks)


def test_a_letterbox_is_that_of_the_cpu(folder):
    for here, there in both(folder):
        alone, sizes = letterbox([torch.from_numpy(here.image).permute(2, 0, 1)], 512, MEAN, STD)
        on_gpu, gpu_sizes = letterbox([there.image.cpu().to("cuda")], 512, MEAN, STD)
        assert sizes == gpu_sizes
        assert (alone - on_gpu.cpu()).abs().mean() < 0.05


def test_memory_for_the_gpu_is_pinned(folder):
    batch = next(iter(ShardLoader(folder, 2, options=LoaderOptions(threads=1))))
    assert torch.from_numpy(batch.memory).is_pinned()


def test_an_asynchronous_copy_has_the_right_pixels(folder):
    def load():
        return ShardLoader(folder, 2, shuffle=False, options=LoaderOptions(threads=1))

    def copy(batch):
        return torch.from_numpy(batch.memory).to("cuda", non_blocking=True)

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**9)  # the copies wait until all batches are loaded
        there = [copy(batch) for batch in load()]
    stream.synchronize()
    for batch, copied in zip(load(), there, strict=True):
        assert np.array_equal(copied.cpu().numpy(), batch.memory)
