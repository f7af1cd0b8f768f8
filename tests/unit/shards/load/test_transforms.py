"""Arguments of a loader that contradict each other are errors that name both."""

from typing import Any

import pytest

from shards.errors import LoadError
from shards.load.loader import Loader
from shards.load.mixture import Mixture
from shards.load.reading.split import Split
from shards.load.transforms import Decode, OutputArguments, all_masks, no_masks
from tests.loading import make_loader, numbers, write_split

ALL: tuple[Decode, ...] = ("raw", "cpu", "cuda")


def example(sample, _seed, _item_index):
    return int(sample.key.removeprefix("small-"))


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return write_split(tmp_path_factory.mktemp("split") / "small" / "train", [5, 3])


def arguments(**given):
    names = ("example", "collate", "masks", "device")
    return {"decode": "cpu", "labels": False} | dict.fromkeys(names) | given


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"collate": list}, "collate and example=None"),
    ({"collate": list, "decode": "raw"}, "collate and example=None"),
    ({"example": example, "decode": "raw"}, "example and decode='raw'"),
    ({"example": example, "decode": "cuda"}, "example and decode='cuda'"),
    ({"example": example, "masks": all_masks}, "example and masks"),
    ({"example": example, "masks": no_masks, "collate": list}, "example and masks"),
    ({"example": example, "labels": True}, "example and labels=True"),
    ({"example": example, "device": "cuda"}, "example and device"),
    ({"decode": "cuda", "labels": True}, "labels=True and decode='cuda'"),
    ({"decode": "cpu", "device": "cuda"}, "device and decode='cpu'"),
    ({"decode": "raw", "device": "cuda"}, "device and decode='raw'"),
    ({"decode": "raw", "masks": all_masks}, "masks and decode='raw'"),
    ({"decode": "raw", "labels": True}, "labels=True and decode='raw'"),
]


@pytest.mark.parametrize(("given", "message"), CONTRADICTIONS)
def test_contradictions_name_both_arguments(given, message):
    with pytest.raises(LoadError, match=f"^{message} contradict each other: "):
        OutputArguments(**arguments(supported=ALL, **given))


@pytest.mark.parametrize("given", [{}, {"example": example}, {"example": [example]}])
def test_an_unknown_way_to_decode_is_refused_with_any_arguments(given):
    with pytest.raises(LoadError, match=r"decode is 'nope'; expected 'raw', 'cpu' or 'cuda'$"):
        OutputArguments(**arguments(supported=ALL, decode="nope", **given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"decode": "raw"},
        {"decode": "cuda"},
        {"decode": "cuda", "device": "cuda:1", "masks": all_masks},
        {"masks": all_masks, "labels": True},
        {"example": example},
        {"example": example, "collate": list},
    ],
)
def test_arguments_that_fit_each_other(given):
    OutputArguments(**arguments(supported=ALL, **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        each
        for each in CONTRADICTIONS
        if "device" not in each[0] and each[0].get("decode") != "cuda"
    ],
)
def test_a_loader_refuses_contradictions_before_it_opens_anything(given, message):
    with pytest.raises(LoadError, match=message):
        Loader("no such folder", 4, **given)


def test_a_loader_without_torch_has_no_gpu():
    with pytest.raises(LoadError, match=r"expected 'raw' or 'cpu'; .*ShardLoader has 'cuda'"):
        Loader("no such folder", 4, decode="cuda")  # type: ignore[arg-type] # on purpose


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="shufle"):
        Loader("no such folder", 4, shufle=False)  # type: ignore[call-arg] # on purpose


@pytest.mark.parametrize("batch_size", [0, -2])
def test_batches_without_samples_are_refused(split, batch_size):
    with pytest.raises(LoadError, match=f"batch_size is {batch_size}; expected at least 1"):
        Loader(split, batch_size, rank=0, world_size=2)


def test_one_example_function_for_each_dataset_or_for_all(split):
    loader = make_loader(split, 4, example=[example])
    assert list(loader) == [numbers(batch) for batch in make_loader(split, 4)]
    with pytest.raises(LoadError, match="example has 2 functions, the data 1 datasets"):
        make_loader(split, 4, example=[example, example])


@pytest.mark.parametrize("selection", [{"where": "phrases > 2"}, {"expand": "phrases"}])
def test_a_selection_that_would_be_ignored_is_refused(split, selection):
    with pytest.raises(LoadError, match=r"open split: give them to Split\.open"):
        make_loader(Split.open(split), 2, **selection)
    mixture = Mixture.of({"mix": {"small": 1}}, split.parent.parent)
    with pytest.raises(LoadError, match="mixture: give them for each of its datasets"):
        make_loader(mixture, 2, **selection)


def test_the_batch_is_the_list_of_examples_unless_collated(split):
    expected = [numbers(batch) for batch in make_loader(split, 4)]
    assert list(make_loader(split, 4, example=example)) == expected
    assert list(make_loader(split, 4, example=example, collate=sum)) == list(map(sum, expected))
