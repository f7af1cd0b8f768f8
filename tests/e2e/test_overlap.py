"""Photos in train of one source and in an evaluation split of another: reported, or dropped."""

import json

import pytest

from convert.demo import draw
from convert.run import run
from shards.layout import read_split
from shards.manifest import read_manifest
from tests.conftest import hash_tree, stamp_tree

PAIR = ("refcoco", "refcocog")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """RefCOCO and RefCOCOg have the same photos, in other splits."""
    root = tmp_path_factory.mktemp("pair")
    return root, {name: draw(root, name, images=16) for name in PAIR}


def numbers(truths, source, *, train):
    return {
        (int(sample.id), f"{source}/{sample.split}")
        for sample in truths[source].samples
        if (sample.split == "train") == train
    }


@pytest.fixture(scope="module")
def expected(pair):
    """Source -> the numbers of its train photos that either evaluates on."""
    _, truths = pair
    evaluated = {number for name in PAIR for number, _ in numbers(truths, name, train=False)}
    trained = {name: {n for n, _ in numbers(truths, name, train=True)} for name in PAIR}
    shared = {name: trained[name] & evaluated for name in PAIR}
    assert all(shared.values())
    assert all(trained[name] - shared[name] for name in PAIR)
    return shared


def convert(root, out, config, **options):
    return run(root=root, out=out, config=config, workers=0, **{"all_": True, **options})


def test_they_are_reported(pair, expected, tmp_path, small_shards, capsys):
    root, truths = pair
    assert convert(root, tmp_path / "out", small_shards) == 0
    output = capsys.readouterr().err
    for name in PAIR:
        manifest = read_manifest(tmp_path / "out" / name / "train")
        eval_splits = [
            split
            for other in PAIR
            for number, split in numbers(truths, other, train=False)
            if number in expected[name]
        ]
        assert manifest.evaluated.photos == len(expected[name])
        assert manifest.evaluated.splits == {s: eval_splits.count(s) for s in set(eval_splits)}
        assert not manifest.evaluated.excluded
        assert (
            f"OVERLAP {name}/train: {len(expected[name])} photos are in evaluation splits ("
            in output
        )
        for other in numbers(truths, name, train=False):
            assert read_manifest(tmp_path / "out" / other[1]).evaluated.photos == 0
    listed = json.loads((tmp_path / "out/eval-photos.coco.json").read_text())
    assert {(int(photo), p) for photo, splits in listed.items() for p in splits} == (
        numbers(truths, "refcoco", train=False) | numbers(truths, "refcocog", train=False)
    )


def test_they_are_dropped_on_request(pair, expected, tmp_path, small_shards):
    root, truths = pair
    out = tmp_path / "out"
    assert convert(root, out, small_shards, exclude_eval_photos=True) == 0
    for name in PAIR:
        keys = {sample.key for sample in read_split(out / name / "train")}
        remaining = {n for n, _ in numbers(truths, name, train=True)} - expected[name]
        assert keys == {f"{name}-{number:012d}" for number in remaining}
        overlap = read_manifest(out / name / "train").evaluated
        assert (overlap.photos, overlap.excluded) == (len(expected[name]), True)
    before = stamp_tree(out)
    assert convert(root, out, small_shards, exclude_eval_photos=True) == 0
    assert {p: s for p, s in stamp_tree(out).items() if p != "."} == {
        p: s for p, s in before.items() if p != "."
    }
    assert convert(root, out, small_shards) == 2  # shards of another plan are not overwritten


def test_evaluation_photos_do_not_depend_on_the_converted_sources(pair, tmp_path, small_shards):
    root, _ = pair
    for options in ({}, {"all_": False, "source": ["refcocog"]}):
        out = tmp_path / f"out{len(options)}"
        assert convert(root, out, small_shards, exclude_eval_photos=True, **options) == 0
    paths = {f"refcocog/{path}" for path in hash_tree(tmp_path / "out2/refcocog")}
    whole = hash_tree(tmp_path / "out0")
    assert paths
    assert {p: h for p, h in hash_tree(tmp_path / "out2").items() if p in paths} == {
        p: h for p, h in whole.items() if p in paths
    }
