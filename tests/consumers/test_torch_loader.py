"""Loading for PyTorch: the same batches by threads, by worker processes, and after a restart."""

import inspect
import multiprocessing
import os
import subprocess
import sys
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader  # noqa: E402

from shards.errors import LoadError  # noqa: E402
from shards.load.torch import LoaderOptions, ShardDataset, ShardLoader  # noqa: E402
from shards.load.torch.cuda import letterbox, paint_runs  # noqa: E402
from shards.load.transforms import all_masks  # noqa: E402
from shards.pixels import decode_mask  # noqa: E402
from shards.rle import decode_counts  # noqa: E402
from tests.conftest import REPOSITORY  # noqa: E402
from tests.loading import held, held_in_the_end, numbers, write_split  # noqa: E402

pytestmark = [
    pytest.mark.consumers,
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),  # by torchdata
]


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return write_split(tmp_path_factory.mktemp("split") / "small", [9, 1, 20, 3, 17, 11])


def of_loader(split, batch_size=5, **arguments):
    return [numbers(batch) for batch in ShardLoader(split, batch_size, decode="raw", **arguments)]


def number_of(sample, _seed, _item_index):
    return int(sample.key.removeprefix("small-"))


def numbers_of(samples):
    return samples if isinstance(samples, list) else samples.tolist()


def identity(batch):
    return batch


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_data_loader_gives_the_same_batches(split, workers, whole):
    dataset = ShardDataset(split, 5, example=number_of, whole_batches=whole)
    batch_size = None if whole else 5
    loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers, collate_fn=identity)
    assert len(loader) == 12
    assert [numbers_of(batch) for batch in loader] == of_loader(split)
    dataset.set_epoch(1)
    second = [numbers_of(batch) for batch in loader]
    assert second != of_loader(split)
    assert sorted(chain.from_iterable(second)) != list(range(61))  # one is left over
    assert len(set(chain.from_iterable(second))) == 60


def test_persistent_workers_follow_set_epoch(split):
    dataset = ShardDataset(split, 5, example=number_of)
    loader = DataLoader(
        dataset, batch_size=5, num_workers=2, persistent_workers=True, collate_fn=identity
    )
    first = list(loader)
    dataset.set_epoch(1)
    second = list(loader)
    dataset.set_epoch(0)
    assert list(loader) == first != second


def test_spawned_workers(split):
    dataset = ShardDataset(split, 5, example=number_of)
    context = multiprocessing.get_context("spawn")
    loader = DataLoader(
        dataset, batch_size=5, num_workers=1, multiprocessing_context=context, collate_fn=identity
    )
    assert list(loader) == of_loader(split)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [0, 1, 7, 12])
def test_a_plain_data_loader_goes_on_after_some_batches(split, workers, stop):
    saved = ShardDataset(split, 5, example=number_of).state_after(stop)
    dataset = ShardDataset(split, 5, example=number_of)
    dataset.load_state_dict(saved)
    loader = DataLoader(dataset, batch_size=5, num_workers=workers, collate_fn=identity)
    expected = of_loader(split)[stop:]
    if stop == 12:
        both = ShardLoader(split, 5, decode="raw")
        both.set_epoch(1)
        expected = [numbers(batch) for batch in both]
    assert [numbers_of(batch) for batch in loader] == expected


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_stateful_data_loader_goes_on_at_every_step(split, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def make():
        dataset = ShardDataset(split, 5, example=number_of)
        return stateful.StatefulDataLoader(
            dataset, batch_size=5, num_workers=workers, collate_fn=identity
        )

    undisturbed = list(make())
    assert undisturbed == of_loader(split)
    for stop in (1, 2, 5, 11):
        loader = make()
        result = list(islice(loader, stop))
        state = loader.state_dict()
        again = make()
        again.load_state_dict(state)
        assert result + list(again) == undisturbed


def test_other_workers_do_not_take_over_a_workers_state(split):
    dataset = ShardDataset(split, 5, example=number_of)
    dataset.load_state_dict(dataset.state_dict() | {"workers": 4, "inside": 0})
    with pytest.raises(LoadError, match="one of 4 workers, here are 1"):
        next(iter(dataset))


def test_a_state_of_a_dataset_outside_workers(split):
    def make():
        return ShardDataset(split, 5, example=number_of)

    dataset = make()
    dataset.set_epoch(3)
    whole = list(dataset)
    for stop in (1, 7, 30, 60):
        dataset = make()
        dataset.set_epoch(3)
        assert list(islice(dataset, stop)) == whole[:stop]
        state = dataset.state_dict()
        for call in (lambda _: None, lambda other: other.set_epoch(3)):
            other = make()
            other.load_state_dict(state)
            call(other)
            assert list(other) == whole[stop:]
            assert list(other) == whole  # until another epoch is set
            other.set_epoch(4)
            assert sorted(other) != whole
        with pytest.raises(
            LoadError, match="A state of a DataLoader's worker is for a ShardDataset"
        ):
            ShardLoader(split, 5).load_state_dict(state)


def test_a_dataset_refuses_epochs_out_of_range(split):
    with pytest.raises(LoadError, match="epoch -1"):
        ShardDataset(split, 5).set_epoch(-1)


@pytest.mark.parametrize("workers", [0, 2])
def test_skipped_samples_do_not_shorten_a_rank(tmp_path, workers):
    folder = write_split(tmp_path / "small", [20, 20])
    for tar in folder.glob("*.tar"):
        content = bytearray(tar.read_bytes())
        content[600] ^= 1
        tar.write_bytes(content)

    def batches(rank):
        dataset = ShardDataset(
            folder,
            5,
            example=number_of,
            options=LoaderOptions(threads=0, skip=2),
            rank=rank,
            world_size=2,
        )
        return list(DataLoader(dataset, 5, num_workers=workers, collate_fn=identity))

    ranks = [batches(rank) for rank in range(2)]
    assert [len(each) for each in ranks] == [4, 4]
    assert {len(batch) for each in ranks for batch in each} == {5}
    expected = [set(of_loader(folder, options=LoaderOptions(skip=2), rank=r, world_size=2)[n])
                for r in range(2) for n in range(4)]  # fmt: skip
    assert [set(batch) for each in ranks for batch in each] == expected


def test_a_batch_of_which_every_sample_is_skipped(tmp_path):
    folder = write_split(tmp_path / "small", [5])
    min(folder.glob("*.tar")).unlink()
    dataset = ShardDataset(folder, 5, example=number_of, options=LoaderOptions(threads=0, skip=9))
    with pytest.raises(LoadError, match="every sample of the batch was skipped"):
        list(dataset)


def test_pixels_of_every_source(converted):
    """Decoded as Pillow does, painted as pycocotools does, for all that the job wrote."""
    from io import BytesIO

    from PIL import Image
    from pycocotools import mask as coco

    for folder in sorted(converted.glob("*/train")):
        loader = ShardLoader(folder, 2, masks=all_masks, labels=True, tail="pad")
        for batch in loader:
            for each in batch.samples:
                sample = each.sample
                with Image.open(BytesIO(sample.image.data)) as image:
                    difference = np.abs(np.asarray(image).astype(int) - each.image)
                assert difference.max() <= 2
                assert each.image.base is not None
                assert list(each.regions) == all_masks(sample, 0, 0)
                for number, mask in zip(each.regions, each.masks, strict=True):
                    rle = sample.regions[number].mask
                    expected = coco.decode({"size": [*mask.shape], "counts": rle.counts})
                    assert np.array_equal(mask, expected.astype(bool))
                if sample.labels is None:
                    assert each.labels is None
                else:
                    with Image.open(BytesIO(sample.labels.png)) as labels:
                        assert np.array_equal(each.labels, np.asarray(labels))


def test_masks_on_a_device_are_those_of_the_cpu(converted):
    painted = 0
    for folder in sorted(converted.glob("*/train")):
        for batch in ShardLoader(folder, 1, decode="raw"):
            sample = batch[0].sample()
            masks = [each.mask for each in sample.regions if each.mask is not None]
            if masks:
                runs = decode_counts([mask.counts for mask in masks], sample.image.size)
                result = paint_runs(runs, torch.device("cpu")).numpy()
                assert np.array_equal(result, np.stack([decode_mask(mask) for mask in masks]))
                painted += len(masks)
    assert painted > 100


def test_a_letterbox_is_what_pillow_and_plain_numbers_give():
    from PIL import Image

    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 20, 3), np.uint8)
    image = np.array(Image.fromarray(small).resize((400, 240), Image.Resampling.BICUBIC))
    mean, std = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
    (result,), (size,) = letterbox([torch.from_numpy(image).permute(2, 0, 1)], 128, mean, std)
    assert (size.height, size.width) == (77, 128)
    resized = np.asarray(Image.fromarray(image).resize((128, 77), Image.Resampling.BILINEAR))
    expected = (resized.astype(float) - mean) / std
    inside = result[:, :77].permute(1, 2, 0).numpy()
    assert np.abs((inside - expected) * std).max() <= 1.01
    assert not result[:, 77:].any()


def test_decode_cuda_says_what_is_missing(split):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    loader = ShardLoader(split, 5, decode="cuda", device="cpu")
    with pytest.raises(LoadError, match="torchvision"):
        next(iter(loader))


def test_unknown_values_of_decode_are_refused(split):
    with pytest.raises(LoadError, match="decode is 'gpu'; expected 'raw', 'cpu' or 'cuda'"):
        ShardLoader(split, 5, decode="gpu")  # type: ignore[arg-type]


def test_rank_and_world_size_from_the_environment(split, monkeypatch):
    alone = of_loader(split, 6)
    result = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "2")
        result.append(of_loader(split, 3))
    assert [a + b for a, b in zip(*result, strict=True)] == alone
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(LoadError, match="WORLD_SIZE is 'two'; expected a number"):
        of_loader(split)


def test_a_hundred_epochs_leak_nothing(split):
    loader = ShardLoader(split, 5, decode="raw", options=LoaderOptions(threads=2))
    for _ in range(10):
        list(loader)
    files, threads, pages = held()
    for _ in range(100):
        list(loader)
    result = held_in_the_end(files, threads)
    assert result[0] <= files
    assert result[1] <= threads
    assert result[2] - pages < 1000  # 4 MB


RANK = """
import sys
from datetime import timedelta
import torch
from torch import distributed
from shards.load.torch import LoaderOptions, ShardLoader
from tests.loading import numbers

split, stop, rendezvous, rank, world, state = sys.argv[1:]
distributed.init_process_group(
    "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=int(world),
    timeout=timedelta(seconds=60),
)
loader = ShardLoader(split, 12 // int(world), decode="raw", options=LoaderOptions(threads=2))
loader.load_state_dict(eval(state)) if state else None
for step, batch in enumerate(loader, 1):
    mine = torch.tensor(numbers(batch))
    all_ = [torch.empty_like(mine) for _ in range(int(world))]
    distributed.all_gather(all_, mine)  # hangs if another rank has fewer batches
    if rank == "0":
        print(torch.cat(all_).tolist())
    if step == int(stop):
        break
distributed.barrier()
if rank == "0":
    print("state", loader.state_dict())
distributed.destroy_process_group()
"""


def run_ranks(split, folder, world, stop, state=""):
    rendezvous = folder / f"rendezvous-{world}-{stop}"
    ranks = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                RANK,
                split,
                str(stop),
                rendezvous,
                str(rank),
                str(world),
                state,
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        for rank in range(world)
    ]
    outputs = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * world
    lines = outputs[0].splitlines()
    batches = [line for line in lines if line.startswith("[")]
    return batches, next(line[6:] for line in lines if line.startswith("state "))


def test_processes_that_stop_and_go_on(split, tmp_path):
    """Two ranks stop after two batches, three go on to the end; nobody hangs, nothing is lost."""
    first, state = run_ranks(split, tmp_path, 2, 2)
    rest, after = run_ranks(split, tmp_path, 3, -1, state)
    assert first + rest == [str(batch) for batch in of_loader(split, 12)]
    assert "'epoch': 1, 'batch': 0" in after


def test_the_loader_does_not_import_torch():
    program = (
        "import sys, shards.load.loader, shards.load.transforms\n"
        "assert not {'torch', 'ray', 'convert', 'lmdb'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(REPOSITORY))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pipeline_of_webdataset(converted, workers):
    wds = pytest.importorskip("webdataset")
    from shards.load.webdataset import samples

    folder = converted / "refcoco" / "train"
    expected = [raw for batch in ShardLoader(folder, 2, decode="raw") for raw in batch]
    stage = samples(folder, 2)
    pipeline = wds.DataPipeline(stage, wds.to_tuple("__key__", "jpg", "mp"), wds.batched(2))
    loader = wds.WebLoader(pipeline, batch_size=None, num_workers=workers)
    keys, photos, annotations = (
        list(chain.from_iterable(each)) for each in zip(*loader, strict=True)
    )
    assert keys == [raw.key for raw in expected]
    assert photos == [raw.members()["jpg"] for raw in expected]
    assert annotations == [raw.members()["mp"] for raw in expected]


@pytest.mark.parametrize("kind", [ShardLoader, ShardDataset])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decode": "cuda", "labels": True}, "labels=True and decode='cuda'"),
        ({"device": "cuda"}, "device and decode='cpu'"),
        ({"example": number_of, "decode": "cuda"}, "example and decode='cuda'"),
        ({"example": number_of, "device": "cpu"}, "example and device"),
        ({"collate": list}, "collate and example=None"),
    ],
)
def test_contradictions_name_both_arguments(split, kind, arguments, message):
    with pytest.raises(LoadError, match=f"^{message} contradict each other: "):
        kind(split, 5, **arguments)


def test_all_loaders_have_the_same_arguments_and_defaults():
    from shards.load.loader import Loader
    from shards.load.webdataset import samples

    assert issubclass(ShardLoader, Loader)
    expected = parameters(Loader)
    assert parameters(ShardLoader) == expected | {"device": None}
    assert parameters(ShardDataset) == expected | {"device": None, "whole_batches": False}
    output = {"decode", "example", "collate", "masks", "labels"}
    assert parameters(samples) == {k: v for k, v in expected.items() if k not in output}


def parameters(function):
    """Name -> default of each parameter."""
    listed = inspect.signature(function).parameters.values()
    assert not [each for each in listed if each.kind is each.VAR_KEYWORD]
    return {each.name: each.default for each in listed}
